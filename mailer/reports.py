"""Handle a mail to the report listener: refuse it by its address, or parse it and store what it says."""

from collections.abc import Awaitable, Callable

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from mailer.bounce import Report, ReportStatus, without_status
from mailer.relays import Relays
from mailer.report_reader import Hostile, NotRead, ReportReader
from mailer.return_address import ReturnAddresses, Returned, is_unsigned
from mailer.settling import TooEarly
from process.rarely import Rarely
from storage.away import AWAY

MOST_MISUSED = 10_000
MISUSED = "550 5.7.1 this return address has been misused"
TRY_AGAIN = "451 4.3.0 try again later"
log = structlog.get_logger()

Store = Callable[[Returned, Report], Awaitable[None]]


class Reports:
    """The handler that aiosmtpd calls. `store` stores a report; it raises TooEarly or an error of AWAY."""

    def __init__(
        self, addresses: ReturnAddresses, relays: Relays, reader: ReportReader, store: Store
    ) -> None:
        self._addresses = addresses
        self._relays = relays
        self._reader = reader
        self._store = store
        self._refusals = Rarely()
        self._misused: dict[Returned, None] = {}

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        about = self._addresses.read(address)
        if about is None:
            self.refused("of an earlier version" if is_unsigned(address) else "no return address", session)
            return "550 5.1.1 no such return address"
        if about in self._misused:
            return MISUSED
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        about = self._addresses.read(envelope.rcpt_tos[0])
        if about is None or about in self._misused:
            return MISUSED
        try:
            report = await self._read(about, envelope)
            if report.status is not ReportStatus.ARRIVED or await self._trusted(about, session):
                await self._store(about, report)
                log.info("report_received", message=about.message_id, status=report.status, why=report.why)
        except (TooEarly, NotRead, *AWAY) as error:
            log.warning("report_deferred", message=about.message_id, error=type(error).__name__)
            return TRY_AGAIN
        return "250 2.0.0 stored"

    async def handle_exception(self, error: Exception) -> str:
        log.error("report_failed", error=type(error).__name__)
        return TRY_AGAIN

    def refused(self, why: str, session: Session) -> None:
        self._refusals.warning("report_refused", why, relay=peer_of(session))

    async def _read(self, about: Returned, envelope: Envelope) -> Report:
        sender = envelope.mail_from or ""
        try:
            return await self._reader.read(envelope.original_content or b"", sender)
        except Hostile:
            log.warning("report_unreadable", message=about.message_id)
            self._misuse(about)
            return without_status(sender, "returned, but not readable")

    def _misuse(self, about: Returned) -> None:
        """Block a return address after one hostile mail: its sender could send a thousand."""
        self._misused[about] = None
        if len(self._misused) > MOST_MISUSED:
            del self._misused[next(iter(self._misused))]

    async def _trusted(self, about: Returned, session: Session) -> bool:
        """Whether to trust a report of arrival: it ends the bounce window, so the address is not proof."""
        relay = peer_of(session)
        trusted = await self._relays.trust(relay)
        if not trusted:
            why = "the relay that reports arrival is not trusted"
            fields = {"message": about.message_id, "relay": relay}
            log.info("report_ignored", why=why, remedy="mail.bounces_trusted", **fields)
        return trusted


def peer_of(session: Session) -> str:
    """The address that a connection comes from."""
    return str(session.peer[0]) if session.peer else ""
