"""A small SMTP server for reports (DSN) about our mails: mail servers deliver them to our return addresses.

A report is stored in the database before it is accepted. While the database is away, the sending server gets
a 451 and tries again.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg
import structlog

from mailer.bounce import Report
from mailer.outbox import Terms, taken
from mailer.relays import Relays
from mailer.report_reader import ReportReader
from mailer.report_server import taking_reports
from mailer.reports import Reports
from mailer.return_address import ReturnAddresses, Returned
from mailer.settling import settle_report

AGAIN_SECONDS = 5.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ReportRules:
    """Which addresses are ours, whose reports of arrival count, and the terms by which a message settles."""

    addresses: ReturnAddresses
    relays: Relays
    terms: Terms


class Listener:
    """Takes reports until cancelled. Calls `settled` after each. `port`: the actual one, once it listens."""

    name = "reports"

    def __init__(self, host: str, port: int, rules: ReportRules, settled: Callable[[], None]) -> None:
        self.troubles: list[str] = []
        self.port = port
        self._host = host
        self._rules = rules
        self._settled = settled

    def wake(self) -> None:
        """Do nothing: this job waits for connections, not for work."""

    async def run(self, pool: asyncpg.Pool) -> None:
        """Listen; while another process has the port, try again."""

        async def store(about: Returned, report: Report) -> None:
            terms = self._rules.terms
            async with taken(pool) as con:
                await settle_report(con, about, report, terms.window, terms.kept)
            self._settled()

        async with ReportReader() as reader:
            reports = Reports(self._rules.addresses, self._rules.relays, reader, store)
            while True:
                await self._listen(reports)

    async def _listen(self, reports: Reports) -> None:
        try:
            async with taking_reports(self._host, self.port, reports) as self.port:
                self.troubles = []
                log.info("report_listener_started", host=self._host, port=self.port)
                await asyncio.get_running_loop().create_future()
        except OSError as error:
            self.troubles = [f"mail.bounces_port: cannot listen at {self._host}:{self.port}: {error}"]
            log.error("report_listener_failed", why=self.troubles)  # noqa: TRY400 - `why` has the whole error
            await asyncio.sleep(AGAIN_SECONDS)
