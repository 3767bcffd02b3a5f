"""Where mail servers deliver what comes back: a small SMTP server for reports about our mails, nothing else.

A report is in the database before it is accepted; while that is away the server is told to come again.
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
from mailer.settling import heard

AGAIN_SECONDS = 5.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a listener goes by: which addresses are ours, whose report of arrival counts, what follows."""

    addresses: ReturnAddresses
    relays: Relays
    terms: Terms


class Listener:
    """Takes reports until cancelled. `settled` is called after each; `port`: where, once it listens."""

    name = "reports"

    def __init__(self, host: str, port: int, hearing: Hearing, settled: Callable[[], None]) -> None:
        self.troubles: list[str] = []
        self.port = port
        self._host = host
        self._hearing = hearing
        self._settled = settled

    def wake(self) -> None:
        """Nothing to be woken from: servers come by themselves."""

    async def run(self, pool: asyncpg.Pool) -> None:
        """Listen; while the port is somebody else's, try again."""

        async def hear(about: Returned, report: Report) -> None:
            terms = self._hearing.terms
            async with taken(pool) as con:
                await heard(con, about, report, terms.window, terms.kept)
            self._settled()

        async with ReportReader() as reader:
            reports = Reports(self._hearing.addresses, self._hearing.relays, reader, hear)
            while True:
                await self._listen(reports)

    async def _listen(self, reports: Reports) -> None:
        try:
            async with taking_reports(self._host, self.port, reports) as self.port:
                self.troubles = []
                log.info("listening for reports", host=self._host, port=self.port)
                await asyncio.get_running_loop().create_future()
        except OSError as error:
            self.troubles = [f"mail.bounces_port: cannot listen at {self._host}:{self.port}: {error}"]
            log.error("cannot listen for reports", why=self.troubles)  # noqa: TRY400 - told in full
            await asyncio.sleep(AGAIN_SECONDS)
