"""The parts of the mailer, as the settings say: terms, return addresses, sender, transport."""

import socket
from datetime import timedelta

from config.mail import Mail
from config.settings import Settings, SettingsError
from mailer.compose import Sender
from mailer.mail_sender import MailSender
from mailer.mx import Exchangers
from mailer.outbox import Terms
from mailer.post import Direct, Post, Smarthost, Transport
from mailer.return_address import ReturnAddresses
from mailer.sessions import Sessions
from mailer.smtp import Login, Server, SmtpIdentity
from mailer.tls import verifying
from storage.key_wrapper import MasterKeyError, derive, new_key

# A lease lasts longer than an attempt can, so that no other worker begins before it ends: 20 minutes for 15.
LEASE = 4 / 3
IMPLICIT_TLS = 465


def terms_of(settings: Settings) -> Terms:
    mail = settings.mail
    return Terms(
        node=settings.node,
        lease=timedelta(seconds=mail.deadline_seconds * LEASE),
        window=timedelta(hours=mail.bounce_window_hours),
        kept=timedelta(days=mail.keep_undeliverable_days),
        smarthost=mail.smarthost or None,
    )


def return_addresses_of(settings: Settings) -> ReturnAddresses:
    """Signed by a key derived from the master key, which only the workers of this database have.

    Without a master key only missed calls are mailed; a report about one is valid until the worker restarts.
    Raises SettingsError when the master key is not one.
    """
    text = settings.master_key.get_secret_value()
    try:
        return ReturnAddresses(derive(text, "return address") if text else [new_key()])
    except MasterKeyError as wrong:
        raise SettingsError([f"master_key: {wrong}"]) from None


def mail_sender_of(mail: Mail, addresses: ReturnAddresses) -> MailSender:
    """Raises SettingsError when the certificate authorities cannot be read."""
    return MailSender(post_of(mail), Sender(mail.sender, mail.sender_name), addresses, mail.require_tls)


def post_of(mail: Mail) -> Post:
    """Raises SettingsError when the certificate authorities cannot be read."""
    try:
        identity = SmtpIdentity(mail.hello or socket.getfqdn(), verifying(mail.authorities))
    except OSError as wrong:  # ssl.SSLError is one
        raise SettingsError([f"mail.authorities: {mail.authorities}: {wrong}"]) from None
    return Post(transport_of(mail), Sessions(identity))


def transport_of(mail: Mail) -> Transport:
    if not mail.smarthost:
        return Direct(Exchangers(), mail.port)
    login = Login(mail.user, mail.password) if mail.user else None
    return Smarthost(Server(mail.smarthost, mail.port, login, implicit=mail.port == IMPLICIT_TLS))
