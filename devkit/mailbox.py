"""A mailbox for development: stores each mail unchanged in a file, with its envelope in a JSON file."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Self

import trustme
from aiosmtpd.smtp import SMTP, Envelope, Session

PLAIN = "none"
LARGEST = 50_000_000  # bytes, announced as SIZE
HOST = "localhost"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a mail: its name, its media type, its decoded size in bytes."""

    name: str
    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class Mail:
    """A received mail. `sender` and `recipients`: of the envelope. `tls`: `none`, or such as `TLSv1.3`."""

    number: int
    at: str
    sender: str
    recipients: tuple[str, ...]
    tls: str
    subject: str
    message_id: str
    size: int
    attachments: tuple[Attachment, ...]

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        attachments = tuple(Attachment(**attachment) for attachment in fields["attachments"])
        return cls(**{**fields, "recipients": tuple(fields["recipients"]), "attachments": attachments})


class Mailbox:
    """The mails in `folder`, oldest first, including those of earlier runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        files = sorted(folder.glob("[0-9]*.json"))
        self.mails = [Mail.from_json(json.loads(file.read_text("utf-8"))) for file in files]

    def store(self, raw: bytes, sender: str, recipients: Sequence[str], tls: str) -> Mail:
        """Write the mail, then the JSON file that adds it to the mailbox."""
        number = 1 + max((mail.number for mail in self.mails), default=0)
        message = parsed(raw)
        mail = Mail(
            number=number,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            sender=sender,
            recipients=tuple(recipients),
            tls=tls,
            subject=str(message.get("Subject", "")),
            message_id=str(message.get("Message-ID", "")),
            size=len(raw),
            attachments=tuple(described(part) for part in message.iter_attachments()),
        )
        self._file(number, "eml").write_bytes(raw)
        self._file(number, "json").write_text(json.dumps(asdict(mail)), "utf-8")
        self.mails.append(mail)
        return mail

    def mail(self, number: int) -> Mail:
        """Raises KeyError."""
        for mail in reversed(self.mails):
            if mail.number == number:
                return mail
        raise KeyError(number)

    def raw(self, number: int) -> bytes:
        """The mail, byte for byte as received. Raises KeyError."""
        return self._file(self.mail(number).number, "eml").read_bytes()

    def message(self, number: int) -> EmailMessage:
        """Raises KeyError."""
        return parsed(self.raw(number))

    def attachment(self, number: int, index: int) -> tuple[Attachment, bytes]:
        """One of the mail's attachments. Raises KeyError."""
        for place, part in enumerate(self.message(number).iter_attachments()):
            if place == index:
                return described(part), content(part)
        raise KeyError(number, index)

    def _file(self, number: int, suffix: str) -> Path:
        return self._folder / f"{number:06d}.{suffix}"


def parsed(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, EmailMessage, policy=default)


def described(part: EmailMessage) -> Attachment:
    return Attachment(part.get_filename() or "", part.get_content_type(), len(content(part)))


def content(part: EmailMessage) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


class Handler:
    """The handler that aiosmtpd calls."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        tls = session.ssl["ssl_object"].version() if session.ssl else PLAIN
        sender, recipients = str(envelope.mail_from or ""), envelope.rcpt_tos
        mail = self._mailbox.store(bytes(envelope.original_content or b""), sender, recipients, tls)
        return f"250 2.0.0 stored as {mail.number}"


@asynccontextmanager
async def taking_mail(mailbox: Mailbox, host: str, port: int, identity: ssl.SSLContext) -> AsyncIterator[str]:
    """Take mail over SMTP, with optional STARTTLS, while the block runs; yield HOST:PORT."""
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(
            Handler(mailbox),
            hostname=HOST,
            ident="callengine mailbox",
            tls_context=identity,
            enable_SMTPUTF8=True,
            data_size_limit=LARGEST,
            loop=loop,
        )

    server = await loop.create_server(protocol, host, port)
    async with server:
        bound_host, bound_port, *_ = server.sockets[0].getsockname()
        yield f"{bound_host}:{bound_port}"


def authority(folder: Path) -> Path:
    """The certificate to trust for verified TLS with the mailbox in `folder`."""
    return folder / "ca.pem"


def identity_of(folder: Path) -> ssl.SSLContext:
    """The mailbox's certificate and its authority, made the first time, so that restarts keep them."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = folder / "server.pem"
    if not (own.exists() and authority(folder).exists()):
        ca = trustme.CA(organization_name="callengine dev")
        own.touch(0o600)
        ca.issue_cert(HOST, "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(own))
        ca.cert_pem.write_to_path(str(authority(folder)))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own)
    return context
