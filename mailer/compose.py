"""Compose the mail about a message: pure, and the same bytes each time.

The only value of the caller in it is the checked number: no display name, nothing in a header's name, a file
name or a boundary. A malformed number is refused here once more, whatever was checked before.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import jinja2

from dialplan.address import bare, check_address, is_address
from dialplan.delivery import Delivery
from journal.ids import MESSAGE_ID
from mailer.audio import Attachment
from mailer.wording import caller_number, full_instant, length, local_number, phrases, short_instant

PLAIN_SUBJECTS = {"voicemail": "Voicemail", "missed": "Missed call", "left_out": "Destination not reachable"}


class Unbuildable(Exception):
    """A value of this message is invalid, so no mail can be composed; the text says which."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is mailed. `caller`: empty when withheld or unknown. Instants are aware. `dated`: the mail's Date.
    `seconds`: the length of the audio, None for a missed call."""

    message_id: str
    kind: Literal["voicemail", "missed", "left_out"]
    number: str
    caller: str
    withheld: bool
    began: datetime
    outcome: str
    deliver: Delivery
    dated: datetime
    seconds: float | None = None

    @property
    def local(self) -> datetime:
        """When the call began, in the time zone of the service number."""
        return self.began.astimezone(ZoneInfo(self.deliver.zone))


@dataclass(frozen=True, slots=True)
class Sender:
    """The From of all mails: an address and a display name."""

    address: str
    name: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def compose(message: Message, attachment: Attachment | None, sender: Sender) -> bytes:
    """The mail with its attachment. A voicemail without one is a notice: the stored message is too large.

    Raises Unbuildable, or any exception that an unexpected value causes.
    """
    _check(message)
    caller = _caller(message)
    values = _values(message, attachment, *caller)
    suffix = ".notice" if attachment is None and message.kind == "voicemail" else ""
    mail = _mail(message, sender, _subject(message, caller[0]), suffix)
    mail.set_content(_template("mail.txt").render(values), cte="quoted-printable")
    html = _template("mail.html").render(values | {"language": message.deliver.language})
    mail.make_alternative(boundary=f"=_{message.message_id}_words")
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    return _with_attachment(
        mail, message.message_id, attachment, file_name(message, attachment) if attachment else None
    )


def compose_plainly(message: Message, attachment: Attachment | None, sender: Sender) -> bytes:
    """The mail if `compose` has failed: the same message under the same id, with few values."""
    mail = _mail(message, sender, PLAIN_SUBJECTS[message.kind])
    mail.set_content(f"{message.began:%Y-%m-%d %H:%M} UTC\n{message.message_id}\n", cte="7bit")
    name = f"voicemail.{attachment.suffix}" if attachment else None
    return _with_attachment(mail, message.message_id, attachment, name)


def file_name(message: Message, attachment: Attachment) -> str:
    """voicemail-80012345-20261124-140507-1a2b3c4d.mp3: it contains nothing of the caller."""
    digits = message.number.removeprefix("+")
    return f"voicemail-{digits}-{message.local:%Y%m%d-%H%M%S}-{message.message_id[28:36]}.{attachment.suffix}"


def _check(message: Message) -> None:
    if message.caller and (message.withheld or not re.fullmatch(r"\+?[0-9]{1,15}", message.caller, re.ASCII)):
        raise Unbuildable("the caller's number is malformed, or is withheld")
    if not re.fullmatch(r"\+[0-9]{7,15}", message.number, re.ASCII):
        raise Unbuildable("the service number is not in E.164 form")


def _mail(message: Message, sender: Sender, subject: str, id_suffix: str = "") -> EmailMessage:
    if not MESSAGE_ID.fullmatch(message.message_id):
        raise Unbuildable("the message's id is not one of ours")
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(sender.name, addr_spec=sender.address)
    mail["To"] = [Address(addr_spec=to) for to in message.deliver.to]
    mail["Subject"] = subject
    mail["Date"] = format_datetime(message.dated)
    mail["Message-ID"] = f"<vm.{message.message_id}{id_suffix}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses absence notices
    mail["X-Auto-Response-Suppress"] = "All"  # the same, for Exchange
    mail["X-Voicemail-Id"] = message.message_id
    return mail


def _with_attachment(
    mail: EmailMessage, message_id: str, attachment: Attachment | None, file: str | None
) -> bytes:
    """The mail's bytes. Neither base64 nor quoted-printable text can contain a boundary's `=_`."""
    if attachment is not None:
        mail.make_mixed(boundary=f"=_{message_id}_parts")
        mail.add_attachment(attachment.data, maintype="audio", subtype=attachment.subtype, filename=file)
    return mail.as_bytes()


def _subject(message: Message, caller: str) -> str:
    words = phrases(message.deliver.language)
    return str(words["subject" if message.kind == "voicemail" else f"{message.kind}_subject"]).format(
        number=local_number(message.number),
        caller=caller,
        to=_left_out(message),
        when=short_instant(message.local, message.deliver.language),
    )


def _caller(message: Message) -> tuple[str, str]:
    """The caller as shown, and the tel: link; the link is empty if there is no number."""
    words = phrases(message.deliver.language)
    if message.caller:
        return caller_number(message.caller, message.number)
    return (words["withheld"] if message.withheld else words["unknown"]), ""


def _values(message: Message, attachment: Attachment | None, caller: str, link: str) -> dict[str, Any]:
    """The values of the templates."""
    words = phrases(message.deliver.language)
    by_voice = message.kind == "voicemail"
    if not by_voice:
        body = words[message.kind].format(to=_left_out(message), attempts=message.deliver.path[-1:])
    elif attachment is None:
        body = words["too_large"]
    else:
        body = words["attached"].format(file=file_name(message, attachment))
    return {
        "heading": words["heading" if by_voice else f"{message.kind}_heading"].format(
            number=_named(message), to=_left_out(message)
        ),
        "facts": list(_facts(message, caller, link)),
        "body": body,
        "footer": words["footer" if by_voice and attachment is not None else "missed_footer"],
    }


def _left_out(message: Message) -> str:
    """The destination that the mail is about; empty for another kind of mail. Raises Unbuildable."""
    if message.kind != "left_out":
        return ""
    to = message.deliver.path[0]
    if is_address(to):
        try:
            return bare(check_address(to))
        except ValueError:
            raise Unbuildable("the destination is not a SIP address") from None
    if not re.fullmatch(r"\+[0-9]{7,15}", to, re.ASCII):
        raise Unbuildable("the destination is not in E.164 form")
    return local_number(to)


def _named(message: Message) -> str:
    label = message.deliver.label
    return f"{local_number(message.number)} ({label})" if label else local_number(message.number)


def _facts(message: Message, caller: str, link: str) -> Iterator[tuple[str, str, str]]:
    """Name, value and link of each line; the link may be empty."""
    words = phrases(message.deliver.language)
    if message.kind == "left_out":
        yield words["destination"], _left_out(message), ""
    else:
        yield words["caller"], caller, link
    yield words["number"], _named(message), ""
    yield words["when"], full_instant(message.local, message.deliver.language), ""
    if message.seconds is not None:
        yield words["length"], length(message.seconds), ""
    if message.deliver.path and message.kind != "left_out":
        yield words["choices"], " › ".join(message.deliver.path), ""
    if message.kind == "missed" and message.outcome in words["reasons"]:
        yield words["reason"], words["reasons"][message.outcome], ""


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mailer", "texts"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
