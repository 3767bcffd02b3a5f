"""A mail to its recipient: by our smarthost, or to the servers of his domain, one after the other."""

from collections.abc import Sequence
from typing import Protocol

from mailer.answer import Deferred, DeliveryResult, Refused
from mailer.mx import DnsTrouble, NoMailTaken
from mailer.sessions import Sessions
from mailer.smtp import Mail, NoSession, Server
from mailer.tls import Level, Policy


class Transport(Protocol):
    """Which servers a domain's mail is handed to."""

    async def to(self, domain: str) -> Sequence[Server]:
        """Raises NoMailTaken, DnsTrouble."""


class Asked(Protocol):
    """Who knows a domain's mail exchangers."""

    async def of(self, domain: str) -> Sequence[str]:
        """Raises NoMailTaken, DnsTrouble."""


class Smarthost:
    """All mail to the one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def to(self, domain: str) -> Sequence[Server]:
        return [self._server]


class Direct:
    """Each mail to the servers of its domain, which are its recipient's own: what they accept has arrived."""

    def __init__(self, exchangers: Asked, port: int = 25) -> None:
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
        """Try the servers in order until one has answered; what the last one said is the outcome.

        Not after an answer that got lost: the mail may be there already, and would be there twice.
        """
        domain = mail.recipient.rpartition("@")[2]
        try:
            servers = await self._transport.to(domain)
        except NoMailTaken as no:
            return Refused("", str(no), Level.NONE)
        except DnsTrouble as trouble:
            return Deferred("", str(trouble), Level.NONE)
        outcome: DeliveryResult = Deferred("", f"{domain} has no server", Level.NONE)
        for server in servers:
            outcome = await self._hand_over(server, mail, policy)
            if not isinstance(outcome, Deferred) or outcome.unsure:
                break
        return outcome

    async def _hand_over(self, server: Server, mail: Mail, policy: Policy) -> DeliveryResult:
        """Over an open session or a new one; over a new one, when the open one turns out to be dead."""
        outcome, used = await self._once(server, mail, policy)
        if used and isinstance(outcome, Deferred) and not outcome.unsure:
            outcome, _ = await self._once(server, mail, policy, fresh=True)
        return outcome

    async def _once(
        self, server: Server, mail: Mail, policy: Policy, *, fresh: bool = False
    ) -> tuple[DeliveryResult, int]:
        try:
            async with self.sessions.to(server, policy, fresh=fresh) as session:
                return await session.send(mail), session.used
        except NoSession as none:
            return none.outcome, 0
