"""One mail to one server: what is said on the wire, and what its answers mean.

A session ends in one of the four words of `mailer.answer`; no exception of SMTP or TLS gets out of here.
"""

import ssl
from dataclasses import dataclass, field
from typing import Self

import aiosmtplib
from pydantic import SecretStr

from journal.fault import point
from mailer.answer import Accepted, Deferred, DeliveryResult, Refused, TooBig, one_line
from mailer.tls import Level, Policy, unverifying

# RFC 5321, 4.5.3.2: five minutes a command, ten for the answer to the final dot, or duplicates are made.
CONNECT_SECONDS = 30
COMMAND_SECONDS = 300
FINAL_DOT_SECONDS = 600
BROKEN = (aiosmtplib.SMTPException, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Login:
    """Told to nobody whose certificate does not prove his name."""

    user: str
    password: SecretStr


@dataclass(frozen=True, slots=True)
class Server:
    """Where a mail is handed over. `final`: the recipient's own; `implicit`: TLS from the first byte on."""

    host: str
    port: int = 25
    login: Login | None = None
    final: bool = False
    implicit: bool = False


@dataclass(frozen=True, slots=True)
class Mail:
    """`sender` and `recipient` are those of the envelope."""

    sender: str
    recipient: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who we are to servers, and whom we believe."""

    name: str  # in EHLO
    trust: ssl.SSLContext
    anybody: ssl.SSLContext = field(default_factory=unverifying)


class NoSession(Exception):
    """No session has come about: `outcome` says why."""

    def __init__(self, outcome: Deferred) -> None:
        super().__init__(outcome.reply)
        self.outcome = outcome


class Session:
    """An open connection to a server, as encrypted as its policy wants it; any number of mails go over it."""

    def __init__(self, client: aiosmtplib.SMTP, server: Server, tls: str) -> None:
        self.tls = tls
        self.used = 0  # mails before this one
        self._clean = True
        self._client = client
        self._server = server

    @classmethod
    async def open(cls, server: Server, policy: Policy, speaker: Speaker) -> Self:
        """Connect, encrypt, log in. Raises NoSession."""
        if server.login is not None:
            policy = Policy.VERIFIED
        try:
            return await cls._open(server, policy, speaker, speaker.trust)
        except ssl.SSLCertVerificationError as error:
            if policy is Policy.VERIFIED:
                why = f"its certificate does not prove its name: {error.verify_message}"
                raise NoSession(Deferred(server.host, why, Level.FAILED, alarm=True)) from None
        # Whom we cannot verify we can still encrypt for; over a new connection, for that one is spoilt.
        try:
            return await cls._open(server, policy, speaker, speaker.anybody)
        except ssl.SSLCertVerificationError as error:
            raise NoSession(Deferred(server.host, said(error), Level.FAILED)) from None

    @classmethod
    async def _open(cls, server: Server, policy: Policy, speaker: Speaker, context: ssl.SSLContext) -> Self:
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=speaker.name,
            timeout=CONNECT_SECONDS,
            use_tls=server.implicit,
            start_tls=False,
            tls_context=context if server.implicit else None,
        )
        try:
            tls = await _greeted(client, server, policy, context)
            if server.login is not None:
                await client.login(
                    server.login.user, server.login.password.get_secret_value(), timeout=COMMAND_SECONDS
                )
        except BaseException as error:
            client.close()
            if isinstance(error, BROKEN) and not isinstance(error, ssl.SSLCertVerificationError):
                alarm = server.login is not None and isinstance(error, aiosmtplib.SMTPAuthenticationError)
                raise NoSession(Deferred(server.host, said(error), Level.NONE, alarm=alarm)) from None
            raise
        return cls(client, server, tls)

    async def ready(self, *, ask: bool) -> bool:
        """Fit for another mail? What was begun is forgotten; `ask` the server, even if nothing was."""
        if ask or not self._clean:
            try:
                await self._client.rset(timeout=CONNECT_SECONDS)
            except BROKEN:
                self._client.close()
        self.used += 1
        self._clean = True
        return self._client.is_connected

    async def send(self, mail: Mail) -> DeliveryResult:
        """Hand this mail over."""
        outcome = await self._send(mail)
        self._clean = isinstance(outcome, Accepted)
        return outcome

    async def _send(self, mail: Mail) -> DeliveryResult:
        limit = self._client.esmtp_extensions.get("size", "")
        if limit.isdecimal() and 0 < int(limit) < len(mail.content):
            return TooBig(self._server.host, f"takes {limit} bytes, not {len(mail.content)}", self.tls)
        dotted = False
        try:
            await self._client.mail(mail.sender, options=self._mail_options(mail), timeout=COMMAND_SECONDS)
            await self._client.rcpt(mail.recipient, options=self._rcpt_options(mail), timeout=COMMAND_SECONDS)
            dotted = True
            point("smtp.before_data")
            reply = await self._client.data(mail.content, timeout=FINAL_DOT_SECONDS)
            point("smtp.after_250")
        except aiosmtplib.SMTPResponseException as no:
            return self._refusal(no)
        except BROKEN as error:
            self._client.close()
            return Deferred(self._server.host, said(error), self.tls, unsure=dotted)
        told = one_line(f"{reply.code} {reply.message}")
        return Accepted(self._server.host, told, self.tls, self._server.final)

    async def quit(self) -> None:
        """Say goodbye, if anybody is there."""
        try:
            await self._client.quit(timeout=1)
        except BROKEN:
            self._client.close()

    def close(self) -> None:
        """Hang up without a word."""
        self._client.close()

    def _refusal(self, no: aiosmtplib.SMTPResponseException) -> Deferred | Refused | TooBig:
        """What an answer of 4xx or 5xx means, and to whom: to this mail, to its recipient, or to us."""
        told = (self._server.host, said(no), self.tls)
        detail = no.message.split(" ", 1)[0]  # RFC 3463
        if not 500 <= no.code < 600 or detail == "5.2.2":  # a full mailbox is emptied some day
            return Deferred(*told)
        if no.code == 552 or detail in ("5.3.4", "5.2.3"):
            return TooBig(*told)
        # Our own server that does not know us, or anybody's who wants a login: no recipient's fault.
        if no.code in (530, 535, 538) or (
            isinstance(no, aiosmtplib.SMTPSenderRefused) and not self._server.final
        ):
            return Deferred(*told, alarm=True)
        return Refused(*told)

    def _mail_options(self, mail: Mail) -> list[str]:
        options = [f"SIZE={len(mail.content)}"] if self._client.supports_extension("size") else []
        return [*options, "RET=HDRS"] if self._client.supports_extension("dsn") else options

    def _rcpt_options(self, mail: Mail) -> list[str]:
        """A report is asked for where one can follow (RFC 3461). An address' + and = are its own xtext."""
        if self._server.final or not self._client.supports_extension("dsn"):
            return []
        address = mail.recipient.replace("+", "+2B").replace("=", "+3D")
        return ["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;{address}"]


async def _greeted(client: aiosmtplib.SMTP, server: Server, policy: Policy, context: ssl.SSLContext) -> str:
    """Connect and encrypt; return the level reached. Raises NoSession, or what the library does."""
    await client.connect()
    try:
        await client.ehlo(timeout=COMMAND_SECONDS)
    except aiosmtplib.SMTPHeloError as no:
        if no.code < 500:
            raise
        await client.helo(timeout=COMMAND_SECONDS)
    if not server.implicit and policy is not Policy.PLAIN and client.supports_extension("starttls"):
        await _encrypted(client, server, context)
        await client.ehlo(timeout=COMMAND_SECONDS)
    if (tunnel := client.get_transport_info("ssl_object")) is not None:
        level = Level.UNVERIFIED if context.verify_mode is ssl.CERT_NONE else Level.VERIFIED
        return f"{level} {tunnel.version()}"
    if policy in (Policy.VERIFIED, Policy.ENCRYPTED):
        raise NoSession(Deferred(server.host, "STARTTLS is not offered, and must be", Level.NONE, alarm=True))
    return Level.NONE


async def _encrypted(client: aiosmtplib.SMTP, server: Server, context: ssl.SSLContext) -> None:
    try:
        await client.starttls(tls_context=context, server_hostname=server.host, timeout=CONNECT_SECONDS)
    except ssl.SSLCertVerificationError:
        raise
    except BROKEN as error:
        raise NoSession(Deferred(server.host, f"TLS: {said(error)}", Level.FAILED)) from None


def said(error: BaseException) -> str:
    """An answer as it came; of anything else its kind and its words."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return one_line(f"{error.code} {error.message}")
    return one_line(f"{type(error).__name__}: {error}")
