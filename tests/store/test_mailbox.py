"""The mailbox of `callengine dev`: what comes over real SMTP is kept, and shown for what it is."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from aiohttp import ClientSession

from devkit.mailbox import PLAIN, Mailbox, authority, identity_of, taking_mail
from devkit.mailbox_page import showing

LOOPBACK = "127.0.0.1"
SOUND = bytes(range(256)) * 40
EVIL = '"><script>alert(1)</script>'


@dataclass
class Running:
    """A mailbox that takes mail and shows it."""

    folder: Path
    smtp: str
    page: str
    web: ClientSession

    async def send(self, mail: EmailMessage, tls: ssl.SSLContext | None = None) -> None:
        host, _, port = self.smtp.rpartition(":")
        await aiosmtplib.send(
            mail, hostname=host, port=int(port), start_tls=tls is not None, tls_context=tls, timeout=10
        )

    async def text(self, path: str) -> str:
        async with self.web.get(self.page + path) as reply:
            assert reply.status == 200
            return await reply.text()

    async def messages(self) -> list[dict[str, Any]]:
        async with self.web.get(f"{self.page}/messages") as reply:
            told: list[dict[str, Any]] = await reply.json()
            return told


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    mailbox, identity = Mailbox(folder), identity_of(folder)
    async with (
        taking_mail(mailbox, LOOPBACK, 0, identity) as smtp,
        showing(mailbox, LOOPBACK, 0) as page,
        ClientSession() as web,
    ):
        yield Running(folder, smtp, page, web)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path / "mailbox") as it:
        yield it


def a_mail(subject: str = "Voicemail", name: str = "voicemail.mp3") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = "callengine <voicemail@calls.example>", "office@acme.example"
    mail["Subject"], mail["Message-ID"] = subject, "<vm.1@calls.example>"
    mail.set_content(f"text {EVIL}")
    mail.add_alternative(f"<p>html {EVIL}</p>", subtype="html")
    mail.add_attachment(SOUND, maintype="audio", subtype="mpeg", filename=name)
    return mail


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority(folder))


async def test_a_mail_is_told_with_its_envelope_its_tls_and_what_is_attached(box: Running) -> None:
    await box.send(a_mail(), tls=trusting(box.folder))
    (told,) = await box.messages()
    del told["at"], told["size"]
    assert told == {
        "number": 1,
        "sender": "voicemail@calls.example",
        "recipients": ["office@acme.example"],
        "tls": "TLSv1.3",
        "subject": "Voicemail",
        "message_id": "<vm.1@calls.example>",
        "attachments": [
            {"name": "voicemail.mp3", "kind": "audio/mpeg", "size": len(SOUND), "href": "/messages/1/0"}
        ],
        "raw": "/messages/1",
    }


async def test_a_mail_that_came_in_plain_is_said_to_have(box: Running) -> None:
    await box.send(a_mail())
    assert [told["tls"] for told in await box.messages()] == [PLAIN]
    assert "not encrypted" in await box.text("/1")


async def test_a_stranger_does_not_trust_its_certificate(box: Running) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await box.send(a_mail(), tls=ssl.create_default_context())
    assert await box.messages() == []


async def test_a_mail_is_kept_byte_for_byte(box: Running) -> None:
    raw = b"Subject: odd \xff bytes\r\nX:  two  spaces \r\n\r\n.a dot\r\n\r\n..two\r\n\ttab \r\n"
    host, _, port = box.smtp.rpartition(":")
    await aiosmtplib.send(
        raw,
        sender="a@calls.example",
        recipients=["b@acme.example"],
        hostname=host,
        port=int(port),
        start_tls=False,
    )
    async with box.web.get(f"{box.page}/messages/1") as reply:
        assert await reply.read() == raw


async def test_a_sound_is_fetched_whole_and_in_pieces(box: Running) -> None:
    await box.send(a_mail())
    for asked, status, answer in (
        (None, 200, SOUND),
        ("bytes=0-", 206, SOUND),
        ("bytes=1000-1009", 206, SOUND[1000:1010]),
        ("bytes=-10", 206, SOUND[-10:]),
        ("bytes=nonsense", 416, None),
    ):
        headers = {"Range": asked} if asked else {}
        async with box.web.get(f"{box.page}/messages/1/0", headers=headers) as reply:
            assert reply.status == status, asked
            assert reply.content_type == ("audio/mpeg" if answer else "text/plain")
            assert answer is None or await reply.read() == answer


@pytest.mark.parametrize("path", ["/7", "/messages/7", "/messages/1/7", "/messages/7/0"])
async def test_what_is_not_there_is_not_found(box: Running, path: str) -> None:
    await box.send(a_mail())
    async with box.web.get(box.page + path) as reply:
        assert reply.status == 404


@pytest.mark.parametrize("path", ["/", "/1"])
async def test_nothing_of_a_mail_becomes_part_of_the_page(box: Running, path: str) -> None:
    await box.send(a_mail(subject=f"subject {EVIL}", name=f"name {EVIL}.mp3"))
    page = await box.text(path)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert '""' not in page


async def test_the_html_of_a_mail_may_do_nothing(box: Running) -> None:
    await box.send(a_mail())
    assert '<iframe sandbox title="The mail as its reader sees it" srcdoc="&lt;p&gt;html' in await box.text(
        "/1"
    )
    async with box.web.get(f"{box.page}/1") as reply:
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]


async def test_only_sound_is_served_as_what_it_says_it_is(box: Running) -> None:
    mail = a_mail()
    mail.add_attachment(EVIL, subtype="html", filename="page.html")
    await box.send(mail)
    async with box.web.get(f"{box.page}/messages/1/1") as reply:
        assert reply.content_type == "application/octet-stream"


async def test_a_mailbox_that_comes_back_has_its_mails_and_its_certificate(tmp_path: Path) -> None:
    async with running(tmp_path) as box:
        await box.send(a_mail("first"))
        before = await box.messages()
        trust = trusting(tmp_path)
    async with running(tmp_path) as box:
        assert await box.messages() == before
        await box.send(a_mail("second"), tls=trust)
        assert [(told["number"], told["subject"]) for told in await box.messages()] == [
            (1, "first"),
            (2, "second"),
        ]
