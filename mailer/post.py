"""Hand a mail over: to our smarthost, or to the recipient domain's servers, one after the other."""

from collections.abc import Sequence
from typing import Protocol

from mailer.answer import Deferred, DeliveryResult, Refused
from mailer.mx import DnsTrouble, NoMailTaken
from mailer.sessions import Sessions
from mailer.smtp import Mail, NoSession, Server
from mailer.tls import Level, Policy


class Transport(Protocol):
    """Decides which servers get a domain's mail."""

    async def to(self, domain: str) -> Sequence[Server]:
        """Raises NoMailTaken, DnsTrouble."""


class ExchangerLookup(Protocol):
    """Looks up a domain's mail exchangers."""

    async def of(self, domain: str) -> Sequence[str]:
        """Raises NoMailTaken, DnsTrouble."""


class Smarthost:
    """All mail goes to one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def to(self, domain: str) -> Sequence[Server]:
        return [self._server]


class Direct:
    """Mail goes to its domain's own servers: what they accept has reached the recipient."""

    def __init__(self, exchangers: ExchangerLookup, port: int = 25) -> None:
        self._exchangers = exchangers
        self._port = port

    async def to(self, domain: str) -> Sequence[Server]:
        return [Server(host, self._port, final=True) for host in await self._exchangers.of(domain)]


class Post:
    """Hands mails over."""

    def __init__(self, transport: Transport, sessions: Sessions) -> None:
        self.sessions = sessions
        self._transport = transport

    async def send(self, mail: Mail, policy: Policy) -> DeliveryResult:
        """Try the servers in order until one has answered; return the last result.

        Stop after a lost answer too: the mail may have been accepted, and would be delivered twice.
        """
        domain = mail.recipient.rpartition("@")[2]
        try:
            servers = await self._transport.to(domain)
        except NoMailTaken as error:
            return Refused("", str(error), Level.NONE)
        except DnsTrouble as error:
            return Deferred("", str(error), Level.NONE)
        result: DeliveryResult = Deferred("", f"{domain} has no mail server", Level.NONE)
        for server in servers:
            result = await self._hand_over(server, mail, policy)
            if not isinstance(result, Deferred) or result.unsure:
                break
        return result

    async def _hand_over(self, server: Server, mail: Mail, policy: Policy) -> DeliveryResult:
        """Use an open session, or a new one if there is none or the open one is dead."""
        result, used = await self._once(server, mail, policy)
        if used and isinstance(result, Deferred) and not result.unsure:
            result, _ = await self._once(server, mail, policy, fresh=True)
        return result

    async def _once(
        self, server: Server, mail: Mail, policy: Policy, *, fresh: bool = False
    ) -> tuple[DeliveryResult, int]:
        try:
            async with self.sessions.to(server, policy, fresh=fresh) as session:
                return await session.send(mail), session.used
        except NoSession as error:
            return error.result, 0
