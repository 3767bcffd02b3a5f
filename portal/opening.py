"""What the pages use, opened as the settings say, and closed at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.owner_changes import FILE, OwnerChanges
from config.settings import Settings, SettingsError
from config.switches import FILE as SWITCHES
from config.versions import Versions
from mailer.compose import Sender
from mailer.mail_settings import post_of
from portal.link_mail import LinkMailer
from portal.routing import RoutingInForce
from portal.secrets import Secrets
from portal.services import Services
from portal.switches import SwitchFile
from storage.api_tokens import TokenHashes
from storage.encrypted_store import EncryptedStore
from storage.owned.tenant import connect
from storage.stores import key_wrapper_of, objects_of

CONNECTIONS = 10  # to the database
STATEMENT_SECONDS = 20.0


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """What the pages use, as the settings say."""
    key_wrapper = key_wrapper_of(settings)
    if key_wrapper is None:
        raise SettingsError(["master_key is not set"])
    mail, objects = settings.mail, objects_of(settings)
    database = settings.portal.database.get_secret_value() or settings.database.get_secret_value()
    pool = await connect(database, CONNECTIONS, STATEMENT_SECONDS)
    links = LinkMailer(post_of(mail), Sender(mail.sender, mail.sender_name), mail.require_tls)
    try:
        yield Services(
            portal=settings.portal,
            pool=pool,
            routing=RoutingInForce(Versions(settings.routing_versions), OwnerChanges(settings.state / FILE)),
            secrets=Secrets(settings.master_key.get_secret_value()),
            links=links,
            encrypted_store=EncryptedStore(objects, key_wrapper),
            tokens=TokenHashes(settings.master_key.get_secret_value()),
            switches=SwitchFile(settings.state / SWITCHES),
        )
    finally:
        await links.close()
        await objects.close()
        pool.terminate()
