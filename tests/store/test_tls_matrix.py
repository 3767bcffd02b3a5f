"""Six kinds of servers under three policies: what went over the wire, as the servers saw it."""

import asyncio
import ssl
import warnings
from collections.abc import Callable, Iterator

import pytest
import trustme
from pydantic import SecretStr

from mailer.answer import Accepted, Deferred, DeliveryResult
from mailer.post import Post, Smarthost
from mailer.sessions import Sessions
from mailer.smtp import Login, Mail, Server, SmtpIdentity
from mailer.tls import Policy, verifying
from tests.store.smtp import MailServer, Ways, certified, mail_server, only_old

SECRET = b"what the caller said"
MAIL = Mail("vm+1=2@provider.example", "office@acme.example", b"Subject: hello\r\n\r\n" + SECRET + b"\r\n")


@pytest.fixture(scope="module")
def ours() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def speaker(ours: trustme.CA) -> SmtpIdentity:
    trust = verifying(None)
    ours.configure_trust(trust)
    return SmtpIdentity("engine1.provider.example", trust)


@pytest.fixture
def _old_tls_may_be_asked_for() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


SERVERS: dict[str, Callable[[trustme.CA], Ways]] = {
    "verified": lambda ours: Ways(tls=certified(ours)),
    "self-signed": lambda _: Ways(tls=certified(trustme.CA())),
    "none": lambda _: Ways(),
    "broken": lambda _: Ways(breaks=True),
    "old": lambda ours: Ways(tls=only_old(ours)),
    "login": lambda ours: Ways(tls=certified(ours), wants_login=True),
}

# What it came to: the level of an acceptance, or of what is to be tried again.
EXPECTED = {
    ("verified", Policy.OPPORTUNISTIC): (Accepted, "verified TLSv1.3"),
    ("verified", Policy.ENCRYPTED): (Accepted, "verified TLSv1.3"),
    ("verified", Policy.VERIFIED): (Accepted, "verified TLSv1.3"),
    ("self-signed", Policy.OPPORTUNISTIC): (Accepted, "unverified TLSv1.3"),
    ("self-signed", Policy.ENCRYPTED): (Accepted, "unverified TLSv1.3"),
    ("self-signed", Policy.VERIFIED): (Deferred, "failed"),
    ("none", Policy.OPPORTUNISTIC): (Accepted, "none"),
    ("none", Policy.ENCRYPTED): (Deferred, "none"),
    ("none", Policy.VERIFIED): (Deferred, "none"),
    ("broken", Policy.OPPORTUNISTIC): (Deferred, "failed"),
    ("broken", Policy.ENCRYPTED): (Deferred, "failed"),
    ("broken", Policy.VERIFIED): (Deferred, "failed"),
    ("old", Policy.OPPORTUNISTIC): (Deferred, "failed"),
    ("old", Policy.ENCRYPTED): (Deferred, "failed"),
    ("old", Policy.VERIFIED): (Deferred, "failed"),
    ("login", Policy.OPPORTUNISTIC): (Deferred, "verified TLSv1.3"),
    ("login", Policy.ENCRYPTED): (Deferred, "verified TLSv1.3"),
    ("login", Policy.VERIFIED): (Deferred, "verified TLSv1.3"),
}


async def sent(server: Server, policy: Policy, speaker: SmtpIdentity) -> DeliveryResult:
    post = Post(Smarthost(server), Sessions(speaker))
    try:
        return await post.send(MAIL, policy)
    finally:
        await post.sessions.close()


def carried(kept: MailServer) -> str:
    """How the mail came: not at all, in plain, or by which TLS."""
    return kept.mails[0].tls if kept.mails else "nothing"


@pytest.mark.usefixtures("_old_tls_may_be_asked_for")
@pytest.mark.parametrize(("kind", "policy"), EXPECTED)
async def test_what_went_over_the_wire(
    kind: str, policy: Policy, ours: trustme.CA, speaker: SmtpIdentity
) -> None:
    outcome, level = EXPECTED[kind, policy]
    async with mail_server(SERVERS[kind](ours)) as kept:
        answer = await sent(kept.server, policy, speaker)
    assert (type(answer), answer.tls) == (outcome, level), answer
    arrives = level.split()[-1] if outcome is Accepted else "nothing"
    assert carried(kept) == arrives
    assert (SECRET in kept.plain) == (arrives == "none"), "in plain only where TLS is not offered"
    if arrives != "none":
        assert b"office@acme.example" not in kept.plain, "not even the envelope"


async def test_a_handshake_that_always_fails_is_gone_without_in_the_end(speaker: SmtpIdentity) -> None:
    async with mail_server(Ways(breaks=True)) as kept:
        answer = await sent(kept.server, Policy.PLAIN, speaker)
    assert (type(answer), answer.tls, carried(kept)) == (Accepted, "none", "none")
    assert "STARTTLS" not in kept.commands


async def test_a_login_is_told_to_a_server_that_proves_its_name(
    ours: trustme.CA, speaker: SmtpIdentity
) -> None:
    async with mail_server(SERVERS["login"](ours)) as kept:
        login = Login("engine", SecretStr("s3cret"))
        answer = await sent(Server("localhost", kept.port, login), Policy.OPPORTUNISTIC, speaker)
    assert (type(answer), answer.tls) == (Accepted, "verified TLSv1.3")
    assert "AUTH" in kept.commands


@pytest.mark.parametrize("kind", ["self-signed", "none"])
async def test_a_login_is_told_to_nobody_else(kind: str, ours: trustme.CA, speaker: SmtpIdentity) -> None:
    ways = SERVERS[kind](ours)
    ways.wants_login = True
    async with mail_server(ways) as kept:
        login = Login("engine", SecretStr("s3cret"))
        answer = await sent(Server("localhost", kept.port, login), Policy.OPPORTUNISTIC, speaker)
    assert isinstance(answer, Deferred)
    assert answer.alarm
    assert "AUTH" not in kept.commands


async def test_tls_from_the_first_byte_is_verified_as_well(ours: trustme.CA, speaker: SmtpIdentity) -> None:
    """No STARTTLS on port 465: the server here has none, and its listener speaks TLS."""
    greeted = asyncio.Event()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 not today\r\n")
        greeted.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0, ssl=certified(ours))
    port = server.sockets[0].getsockname()[1]
    answer = await sent(Server("localhost", port, implicit=True), Policy.VERIFIED, speaker)
    server.close()
    assert greeted.is_set()
    assert isinstance(answer, Deferred)
    assert "554" in answer.reply


def test_no_version_older_than_1_2_is_spoken(speaker: SmtpIdentity) -> None:
    assert {speaker.trust.minimum_version, speaker.untrusting.minimum_version} == {ssl.TLSVersion.TLSv1_2}
