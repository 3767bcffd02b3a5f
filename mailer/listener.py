"""Where mail servers deliver what comes back: a small SMTP server for reports about our mails, nothing else.

A report is in the database before it is accepted; while that is away the server is told to come again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from mailer.bounce import Report, Returned, read_report, returned
from mailer.outbox import AWAY, Terms, taken
from mailer.settling import TooEarly, heard

MOST_BYTES = 1_000_000  # a report returns headers only, when it does as we ask
SILENCE_SECONDS = 60
AGAIN_SECONDS = 5.0
log = structlog.get_logger()

Hear = Callable[[Returned, Report], Awaitable[None]]


class Listener:
    """Takes reports until cancelled. `settled` is called after each; `port`: where, once it listens."""

    name = "reports"

    def __init__(self, host: str, port: int, terms: Terms, settled: Callable[[], None]) -> None:
        self.troubles: list[str] = []
        self.port = port
        self._host = host
        self._terms = terms
        self._settled = settled

    def wake(self) -> None:
        """Nothing to be woken from: servers come by themselves."""

    async def run(self, pool: asyncpg.Pool) -> None:
        """Listen; while the port is somebody else's, try again."""

        async def hear(about: Returned, report: Report) -> None:
            async with taken(pool) as con:
                await heard(con, about, report, self._terms.window, self._terms.kept)
            self._settled()

        while True:
            try:
                async with listening(self._host, self.port, hear) as self.port:
                    self.troubles = []
                    log.info("listening for reports", host=self._host, port=self.port)
                    await asyncio.get_running_loop().create_future()
            except OSError as error:
                self.troubles = [f"mail.bounces_port: cannot listen at {self._host}:{self.port}: {error}"]
                log.error("cannot listen for reports", why=self.troubles)  # noqa: TRY400 - told in full
                await asyncio.sleep(AGAIN_SECONDS)


class Reports:
    """What aiosmtpd calls. `hear` writes down what a report says; raises TooEarly or what AWAY lists."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if returned(address) is None:
            return "550 5.1.1 nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 go on"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        report = read_report(envelope.original_content or b"", envelope.mail_from or "")
        try:
            for about in filter(None, map(returned, envelope.rcpt_tos)):
                await self._hear(about, report)
                log.info("report", message=about.message_id, news=report.news, why=report.why)
        except (TooEarly, *AWAY) as error:
            log.warning("report put off", error=type(error).__name__)
            return "451 4.3.0 come again"
        return "250 2.0.0 heard"


@asynccontextmanager
async def listening(host: str, port: int, hear: Hear) -> AsyncIterator[int]:
    """Take reports while the block runs; yields the port, a free one for 0. Raises OSError."""
    loop = asyncio.get_running_loop()
    reports = Reports(hear)

    def met() -> SMTP:
        return SMTP(
            reports, hostname="reports", data_size_limit=MOST_BYTES, loop=loop, timeout=SILENCE_SECONDS
        )

    server = await loop.create_server(met, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
