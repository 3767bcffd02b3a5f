"""The mail about a message, from values to bytes: pure, and the same bytes however often it is built.

Of the caller there is the one checked number in it, and nothing else: no name, nothing in a header's name, in
a file name or in a boundary. A number that is none is refused here once more, whoever let it through before.
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

from dialplan.delivery import Delivery
from journal.ids import MESSAGE_ID
from mailer.audio import Sound
from mailer.wording import caller_number, full_instant, length, local_number, phrases, short_instant


class Unbuildable(Exception):
    """No mail can be made of this message: one of its values is not what it must be."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is mailed. `caller` is empty when withheld or unknown; instants are aware; `dated` is the mail's
    Date; `seconds` is the length of the sound, None for a missed call."""

    message_id: str
    kind: Literal["voicemail", "missed"]
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
        """When the call came in, on the clock where the number is."""
        return self.began.astimezone(ZoneInfo(self.deliver.zone))


@dataclass(frozen=True, slots=True)
class Sender:
    """Who the mails are from: an address and a name."""

    address: str
    name: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def compose(message: Message, sound: Sound | None, sender: Sender) -> bytes:
    """The mail, with its sound; without one it is another mail: that the message is too large, and kept.

    Raises Unbuildable, or whatever a value breaks that should not be there.
    """
    _check(message)
    caller = _caller(message)
    told = _told(message, sound, *caller)
    notice = ".notice" if sound is None and message.kind == "voicemail" else ""
    letter = _letter(message, sender, _subject(message, caller[0]), notice)
    letter.set_content(_template("mail.txt").render(told), cte="quoted-printable")
    html = _template("mail.html").render(told | {"language": message.deliver.language})
    letter.make_alternative(boundary=f"=_{message.message_id}_words")
    letter.add_alternative(html, subtype="html", cte="quoted-printable")
    return _sealed(letter, message.message_id, sound, file_name(message, sound) if sound else None)


def compose_plainly(message: Message, sound: Sound | None, sender: Sender) -> bytes:
    """The mail for when `compose` has failed: the same message under the same id, and few values in it."""
    letter = _letter(message, sender, "Voicemail" if message.kind == "voicemail" else "Missed call")
    letter.set_content(f"{message.began:%Y-%m-%d %H:%M} UTC\n{message.message_id}\n", cte="7bit")
    return _sealed(letter, message.message_id, sound, f"voicemail.{sound.suffix}" if sound else None)


def file_name(message: Message, sound: Sound) -> str:
    """voicemail-80012345-20261124-140507-1a2b3c4d.mp3: nothing of the caller in it."""
    digits = message.number.removeprefix("+")
    return f"voicemail-{digits}-{message.local:%Y%m%d-%H%M%S}-{message.message_id[28:36]}.{sound.suffix}"


def _check(message: Message) -> None:
    if message.caller and (message.withheld or not re.fullmatch(r"\+?[0-9]{1,15}", message.caller, re.ASCII)):
        raise Unbuildable("the caller is not a number that may be shown")
    if not re.fullmatch(r"\+[0-9]{7,15}", message.number, re.ASCII):
        raise Unbuildable("the service number is none")


def _letter(message: Message, sender: Sender, subject: str, notice: str = "") -> EmailMessage:
    if not MESSAGE_ID.fullmatch(message.message_id):
        raise Unbuildable("the message's id is none of ours")
    letter = EmailMessage(policy=SMTP)
    letter["From"] = Address(sender.name, addr_spec=sender.address)
    letter["To"] = [Address(addr_spec=to) for to in message.deliver.to]
    letter["Subject"] = subject
    letter["Date"] = format_datetime(message.dated)
    letter["Message-ID"] = f"<vm.{message.message_id}{notice}@{sender.domain}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday reply is wanted
    letter["X-Auto-Response-Suppress"] = "All"  # the same, for Exchange
    letter["X-Voicemail-Id"] = message.message_id
    return letter


def _sealed(letter: EmailMessage, message_id: str, sound: Sound | None, file: str | None) -> bytes:
    """The bytes, with the sound attached. Neither base64 nor quoted-printable can hold a boundary's `=_`."""
    if sound is not None:
        letter.make_mixed(boundary=f"=_{message_id}_parts")
        letter.add_attachment(sound.data, maintype="audio", subtype=sound.subtype, filename=file)
    return letter.as_bytes()


def _subject(message: Message, caller: str) -> str:
    words = phrases(message.deliver.language)
    return str(words["subject" if message.kind == "voicemail" else "missed_subject"]).format(
        number=local_number(message.number),
        caller=caller,
        when=short_instant(message.local, message.deliver.language),
    )


def _caller(message: Message) -> tuple[str, str]:
    """The caller as it is shown, and its link, empty where there is no number."""
    words = phrases(message.deliver.language)
    if message.caller:
        return caller_number(message.caller, message.number)
    return (words["withheld"] if message.withheld else words["unknown"]), ""


def _told(message: Message, sound: Sound | None, caller: str, link: str) -> dict[str, Any]:
    """What the templates show."""
    words = phrases(message.deliver.language)
    missed = message.kind == "missed"
    if missed:
        told = words["missed"]
    elif sound is None:
        told = words["too_large"]
    else:
        told = words["attached"].format(file=file_name(message, sound))
    return {
        "heading": words["missed_heading" if missed else "heading"].format(number=_named(message)),
        "facts": list(_facts(message, caller, link)),
        "told": told,
        "footer": words["missed_footer" if missed or sound is None else "footer"],
    }


def _named(message: Message) -> str:
    label = message.deliver.label
    return f"{local_number(message.number)} ({label})" if label else local_number(message.number)


def _facts(message: Message, caller: str, link: str) -> Iterator[tuple[str, str, str]]:
    """Name, value and link, empty where there is none."""
    words = phrases(message.deliver.language)
    yield words["caller"], caller, link
    yield words["number"], _named(message), ""
    yield words["when"], full_instant(message.local, message.deliver.language), ""
    if message.seconds is not None:
        yield words["length"], length(message.seconds), ""
    if message.deliver.path:
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
