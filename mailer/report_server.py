"""The SMTP server for reports: whatever a stranger sends, each piece of work is small and bounded.

After each answered line the event loop gets a turn. aiosmtpd by itself answers all buffered lines in one go:
one write of a client held up the loop for 1.5 s (measured).
"""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from aiosmtpd.smtp import SMTP

from mailer.reports import Reports
from process.connections import Door, Limits

MOST_BYTES = 65_536  # we ask for reports with headers only (RET=HDRS)
MOST_CONNECTION_BYTES = 2_000_000
MOST_ERRORS = 10
SILENCE_SECONDS = 60.0
# Each mail needs one MAIL, RCPT and DATA; after 100 mails a server has to reconnect.
MOST_COMMANDS = {"MAIL": 100, "RCPT": 100, "DATA": 100, "RSET": 100, "NOOP": 100, "*": 10}
RECEIVE_BUFFER = 8192  # the kernel doubles it; the data of one read is processed in one go
LIMITS = Limits(
    total=100, seconds=300.0, per_address=20, refusal=b"421 4.7.0 too many connections of your address\r\n"
)
# The library logs what strangers send, without any limit.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)


class ReportServer(SMTP):
    """One connection; the cost of a line and the number of lines are limited."""

    def __init__(self, reports: Reports, silence_seconds: float) -> None:
        super().__init__(
            reports,
            hostname="reports",
            ident="ESMTP",
            data_size_limit=MOST_BYTES,
            timeout=silence_seconds,
            command_call_limit=MOST_COMMANDS,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )
        self._errors = 0
        self._bytes = 0

    def data_received(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes > MOST_CONNECTION_BYTES:
            self._timeout_cb()
        else:
            super().data_received(data)

    async def push(self, status: Any) -> None:
        """Answer a line; close a connection after too many errors."""
        await super().push(status)
        if status.startswith("552"):
            self.event_handler.refused("larger than 64 kB", self.session)
        self._errors += status.startswith(("4", "5"))
        if self._errors >= MOST_ERRORS and self.transport is not None:
            await super().push("421 4.7.0 too many errors")
            cast("asyncio.Transport", self.transport).close()
        await asyncio.sleep(0)  # give the event loop a turn

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Parse an address in brackets. The library's own parser takes 20 ms for a hostile line."""
        match = re.match(r"<([^<>\s]{0,320})>(?:\s+(.*))?$", arg)
        return (match[1] or "<>", match[2] or "") if match else (None, None)

    def _timeout_cb(self) -> None:
        """Abort: closing would wait for a peer that does not read."""
        if self.transport is not None:
            cast("asyncio.Transport", self.transport).abort()


@asynccontextmanager
async def taking_reports(
    host: str,
    port: int,
    reports: Reports,
    limits: Limits = LIMITS,
    silence_seconds: float = SILENCE_SECONDS,
) -> AsyncIterator[int]:
    """Take reports while the block runs; yield the actual port (0 takes a free one). Raises OSError."""
    door = Door("reports", lambda: ReportServer(reports, silence_seconds), limits)
    server = await asyncio.get_running_loop().create_server(door, host, port)
    for listening in server.sockets:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        door.close()
