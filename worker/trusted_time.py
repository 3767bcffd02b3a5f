"""Whether anything may be destroyed now: deadlines are instants of clocks, and a clock may be set wrongly.

What is destroyed too early is lost; so after a step forward nothing is destroyed for an hour, in which the
clock can be corrected (docs/decisions/038-destroying-after-a-clock-step.md).
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import structlog

from process.clock import boottime_ns

CLOCKS_APART = timedelta(seconds=60)  # deadlines are read by PostgreSQL's clock, which may be wrong
WRONG_CLOCK = "the clocks of this host and of PostgreSQL differ: nothing is destroyed"
STEP_SECONDS = 60.0  # a smaller step destroys nothing much too early
WAIT_SECONDS = 3600.0
SAVE_SECONDS = 60.0
NS = 10**9
log = structlog.get_logger()


class TrustedTime:
    """`kept`: the file in which the next worker finds which offset of the wall clock is trusted.

    The offset from the steady clock is constant until the wall clock is set, or the machine starts again:
    then the steady clock shows less than before. (The id of the boot is hidden from the worker's unit.)
    """

    def __init__(
        self, kept: Path, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = boottime_ns
    ) -> None:
        self._kept = kept
        self._wall, self._steady = wall, steady
        self._since: int | None = None  # steady, ns: when a step was noticed that is not trusted yet
        self._objection = ""
        self._saved = 0
        self._trusted = self._load()

    async def objection(self, con: asyncpg.Connection) -> str:
        """Return why nothing may be destroyed now; "" if it may. Raises asyncpg's errors."""
        difference = abs(datetime.now(UTC) - await con.fetchval("SELECT clock_timestamp()"))
        why = WRONG_CLOCK if difference > CLOCKS_APART else self.step()
        if why and not self._objection:
            log.critical("destruction_blocked", why=why, seconds=difference.total_seconds())
        self._objection = why
        return why

    def step(self) -> str:
        """Return that the clock was set forward within the last hour, and not set back since; else ""."""
        now = self._steady()
        offset = self._wall() - now
        ahead = (offset - self._trusted) / NS
        if ahead <= STEP_SECONDS:
            self._since = None
            if (now - self._saved) / NS >= SAVE_SECONDS:
                self._save(now)
            return ""
        self._since = self._since or now
        if (now - self._since) / NS < WAIT_SECONDS:
            return f"the clock was set forward by {ahead:.0f} s: nothing is destroyed for an hour; correct it"
        log.warning("clock_trusted", seconds=round(ahead))
        self._trusted, self._since = offset, None
        self._save(now)
        return ""

    def _load(self) -> int:
        now = self._steady()
        try:
            content = json.loads(self._kept.read_text())
            if int(content["steady"]) <= now:
                return int(content["offset"])
        except (OSError, ValueError, LookupError, TypeError, ArithmeticError):
            pass  # there is none, or it is damaged: trust the clock
        self._trusted = self._wall() - now
        self._save(now)
        return self._trusted

    def _save(self, now: int) -> None:
        """Replace the file. Without it the next worker trusts the clock as it is then."""
        self._saved = now
        draft = self._kept.with_suffix(".draft")
        try:
            draft.write_text(json.dumps({"offset": self._trusted, "steady": now}))
            draft.replace(self._kept)
        except OSError as error:
            log.warning("trusted_clock_not_saved", file=str(self._kept), error=type(error).__name__)
