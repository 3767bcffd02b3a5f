"""callengine owners invite: a mail that says where the portal is, to each address of an owner."""

from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

import click

from config.settings import Settings, SettingsError
from dialplan.number import Owner
from mailer.answer import Accepted, Deferred
from mailer.mail_settings import post_of
from mailer.smtp import Mail
from mailer.tls import policy_for

TEXTS = {
    "nl": ("Uw omgeving bij {title}", "Op {url} ziet u uw gesprekken, berichten en opnames.\n\n"
           "Vul daar dit adres in. U krijgt dan een mail met een link om in te loggen.\n"),
    "fr": ("Votre espace chez {title}", "Vos appels, messages et enregistrements sont sur {url}.\n\n"
           "Saisissez-y cette adresse : vous recevrez un lien de connexion par mail.\n"),
    "de": ("Ihr Bereich bei {title}", "Ihre Anrufe, Nachrichten und Aufnahmen sehen Sie auf {url}.\n\n"
           "Geben Sie dort diese Adresse ein: Sie erhalten dann eine Mail mit einem Link zum Anmelden.\n"),
    "es": ("Su espacio en {title}", "En {url} están sus llamadas, mensajes y grabaciones.\n\n"
           "Escriba allí esta dirección: recibirá por correo un enlace para entrar.\n"),
    "en": ("Your area at {title}", "Your calls, messages and recordings are on {url}.\n\n"
           "Write this address there: a mail with a link to log in will come.\n"),
}  # fmt: skip


async def invite(settings: Settings, owner: Owner) -> list[tuple[str, str]]:
    """Mail each address; return what its server said. Raises ClickException without an address or portal."""
    try:
        settings.require("portal.url", "mail.sender")
        post = post_of(settings.mail)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if not owner.mail:
        raise click.ClickException("this owner has no mail address; write `mail` into the file")
    policy = policy_for(require=owner.require_tls, seen=False, failures=0, since=timedelta())
    try:
        answers = []
        for address in owner.mail:
            mail = Mail(settings.mail.sender, address, invitation(settings, owner, address))
            answers.append((address, answer_text(await post.send(mail, policy))))
    finally:
        await post.sessions.close()
    return answers


def answer_text(answer: object) -> str:
    if isinstance(answer, Accepted):
        return f"accepted by {answer.server}"
    return "not now: try again" if isinstance(answer, Deferred) else "refused"


def invitation(settings: Settings, owner: Owner, address: str) -> bytes:
    """The mail, in the language of the owner."""
    subject, body = TEXTS[owner.language]
    told = {"title": settings.portal.title, "url": settings.portal.url}
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(settings.mail.sender_name, addr_spec=settings.mail.sender)
    message["To"] = Address(addr_spec=address)
    message["Subject"] = subject.format(**told)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=settings.mail.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body.format(**told), cte="quoted-printable")
    return message.as_bytes()
