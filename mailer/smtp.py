"""Hand one mail to one server: the SMTP dialogue, and the meaning of its replies.

The result is one of the four classes of `mailer.answer`; no exception of SMTP or TLS leaves this module.
"""

import ssl
from dataclasses import dataclass, field
from typing import Self

import aiosmtplib
from pydantic import SecretStr

from journal.fault import point
from mailer.answer import Accepted, Deferred, DeliveryResult, Refused, TooBig, one_line
from mailer.tls import Level, Policy, unverifying

# RFC 5321, 4.5.3.2: five minutes for a command, ten for the reply to the final dot; less causes duplicates.
CONNECT_SECONDS = 30
COMMAND_SECONDS = 300
FINAL_DOT_SECONDS = 600
BROKEN = (aiosmtplib.SMTPException, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Login:
    """Sent only to a server whose certificate proves its name."""

    user: str
    password: SecretStr


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server. `final`: the recipient's own; `implicit`: TLS from the first byte."""

    host: str
    port: int = 25
    login: Login | None = None
    final: bool = False
    implicit: bool = False


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail; `sender` and `recipient` are the envelope's."""

    sender: str
    recipient: str
    content: bytes


@dataclass(frozen=True, slots=True)
class SmtpIdentity:
    """Our name to servers, and the certificates we trust."""

    name: str  # in EHLO
    trust: ssl.SSLContext
    untrusting: ssl.SSLContext = field(default_factory=unverifying)


class NoSession(Exception):
    """The session could not be opened; `result` says why."""

    def __init__(self, result: Deferred) -> None:
        super().__init__(result.reply)
        self.result = result


class Session:
    """An open connection to a server, encrypted as its policy requires; it can carry many mails."""

    def __init__(self, client: aiosmtplib.SMTP, server: Server, tls: str) -> None:
        self.tls = tls
        self.used = 0  # mails before the current one
        self._clean = True
        self._client = client
        self._server = server

    @classmethod
    async def open(cls, server: Server, policy: Policy, identity: SmtpIdentity) -> Self:
        """Connect, encrypt, log in. Raises NoSession."""
        if server.login is not None:
            policy = Policy.VERIFIED
        try:
            return await cls._open(server, policy, identity, identity.trust)
        except ssl.SSLCertVerificationError as error:
            if policy is Policy.VERIFIED:
                why = f"the certificate does not prove the server's name: {error.verify_message}"
                raise NoSession(Deferred(server.host, why, Level.FAILED, alarm=True)) from None
        # Encrypt without verification, over a new connection: the failed handshake has ended the first.
        try:
            return await cls._open(server, policy, identity, identity.untrusting)
        except ssl.SSLCertVerificationError as error:
            raise NoSession(Deferred(server.host, reply_text(error), Level.FAILED)) from None

    @classmethod
    async def _open(
        cls, server: Server, policy: Policy, identity: SmtpIdentity, context: ssl.SSLContext
    ) -> Self:
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=identity.name,
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
                raise NoSession(Deferred(server.host, reply_text(error), Level.NONE, alarm=alarm)) from None
            raise
        return cls(client, server, tls)

    async def ready(self, *, ask: bool) -> bool:
        """Whether another mail can be sent. Reset an unfinished transaction; `ask`: send RSET in any case."""
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
        result = await self._send(mail)
        self._clean = isinstance(result, Accepted)
        return result

    async def _send(self, mail: Mail) -> DeliveryResult:
        limit = self._client.esmtp_extensions.get("size", "")
        if limit.isdecimal() and 0 < int(limit) < len(mail.content):
            return TooBig(
                self._server.host, f"accepts {limit} bytes, the mail has {len(mail.content)}", self.tls
            )
        data_sent = False
        try:
            await self._client.mail(mail.sender, options=self._mail_options(mail), timeout=COMMAND_SECONDS)
            await self._client.rcpt(mail.recipient, options=self._rcpt_options(mail), timeout=COMMAND_SECONDS)
            data_sent = True
            point("smtp.before_data")
            reply = await self._client.data(mail.content, timeout=FINAL_DOT_SECONDS)
            point("smtp.after_250")
        except aiosmtplib.SMTPResponseException as error:
            return self._refusal(error)
        except BROKEN as error:
            self._client.close()
            return Deferred(self._server.host, reply_text(error), self.tls, unsure=data_sent)
        text = one_line(f"{reply.code} {reply.message}")
        return Accepted(self._server.host, text, self.tls, self._server.final)

    async def quit(self) -> None:
        """Send QUIT, if the connection is still open."""
        try:
            await self._client.quit(timeout=1)
        except BROKEN:
            self._client.close()

    def close(self) -> None:
        """Close the connection without QUIT."""
        self._client.close()

    def _refusal(self, error: aiosmtplib.SMTPResponseException) -> Deferred | Refused | TooBig:
        """The meaning of a 4xx or 5xx reply: is the mail, the recipient, or our server the reason?"""
        answer = (self._server.host, reply_text(error), self.tls)
        detail = error.message.split(" ", 1)[0]  # RFC 3463
        if not 500 <= error.code < 600 or detail == "5.2.2":  # 5.2.2: mailbox full, which may change
            return Deferred(*answer)
        if error.code == 552 or detail in ("5.3.4", "5.2.3"):
            return TooBig(*answer)
        # Our smarthost refuses us, or a server requires a login: not the recipient's fault.
        if error.code in (530, 535, 538) or (
            isinstance(error, aiosmtplib.SMTPSenderRefused) and not self._server.final
        ):
            return Deferred(*answer, alarm=True)
        return Refused(*answer)

    def _mail_options(self, mail: Mail) -> list[str]:
        options = [f"SIZE={len(mail.content)}"] if self._client.supports_extension("size") else []
        return [*options, "RET=HDRS"] if self._client.supports_extension("dsn") else options

    def _rcpt_options(self, mail: Mail) -> list[str]:
        """Request a report where one can follow (RFC 3461). In xtext, + and = are escaped."""
        if self._server.final or not self._client.supports_extension("dsn"):
            return []
        address = mail.recipient.replace("+", "+2B").replace("=", "+3D")
        return ["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;{address}"]


async def _greeted(client: aiosmtplib.SMTP, server: Server, policy: Policy, context: ssl.SSLContext) -> str:
    """Connect and encrypt; return the level reached. Raises NoSession, or what the library does."""
    await client.connect()
    try:
        await client.ehlo(timeout=COMMAND_SECONDS)
    except aiosmtplib.SMTPHeloError as error:
        if error.code < 500:
            raise
        await client.helo(timeout=COMMAND_SECONDS)
    if not server.implicit and policy is not Policy.PLAIN and client.supports_extension("starttls"):
        await _encrypted(client, server, context)
        await client.ehlo(timeout=COMMAND_SECONDS)
    if (tunnel := client.get_transport_info("ssl_object")) is not None:
        level = Level.UNVERIFIED if context.verify_mode is ssl.CERT_NONE else Level.VERIFIED
        return f"{level} {tunnel.version()}"
    if policy in (Policy.VERIFIED, Policy.ENCRYPTED):
        raise NoSession(
            Deferred(
                server.host, "the server does not offer STARTTLS, which is required", Level.NONE, alarm=True
            )
        )
    return Level.NONE


async def _encrypted(client: aiosmtplib.SMTP, server: Server, context: ssl.SSLContext) -> None:
    try:
        await client.starttls(tls_context=context, server_hostname=server.host, timeout=CONNECT_SECONDS)
    except ssl.SSLCertVerificationError:
        raise
    except BROKEN as error:
        raise NoSession(Deferred(server.host, f"TLS: {reply_text(error)}", Level.FAILED)) from None


def reply_text(error: BaseException) -> str:
    """The server's reply; for any other error its type and text."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return one_line(f"{error.code} {error.message}")
    return one_line(f"{type(error).__name__}: {error}")
