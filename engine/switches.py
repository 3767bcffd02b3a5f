"""The switches of this node, as the engine sees them: it looks for new lines several times a second, and no
call waits for the file."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog

from config.switches import FILE, Key, Stamp, Switched, latest_of, read_all, stamp_of, write

__all__ = ["FILE", "Switched", "Switches", "write"]

log = structlog.get_logger()

LOOK_SECONDS = 0.25


class Switches:
    """The switches of this node, from `file`, which may be missing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._latest: Mapping[Key, Switched] = {}
        self._stamp: Stamp = None
        self._is_readable, self._is_read = True, False

    def on(self, number: str, owner: str, now: datetime) -> tuple[str, ...]:
        """Return the names of the switches that are on for a number (E.164) or its owner, sorted."""
        if not self._latest:
            return ()
        on = {one.name for one in self._latest.values() if one.target in (number, owner) and one.is_on(now)}
        return tuple(sorted(on))

    def put(self, target: str, name: str, until: datetime, by: str) -> bool:
        """Put a switch on until then, or off if it is on; return whether it is on. Blocks. Raises OSError."""
        self.read()
        now = datetime.now(UTC)
        latest = self._latest.get((target, name))
        is_on = latest is not None and latest.is_on(now)
        write(self._file, Switched(now, target, name, None if is_on else until, by, "by a call with the PIN"))
        self.read()
        return not is_on

    def count(self) -> int:
        """Return how many are on now."""
        now = datetime.now(UTC)
        return sum(one.is_on(now) for one in self._latest.values())

    def read(self) -> None:
        """Read the file, if it has changed. If it cannot be read, what was read before stays."""
        try:
            stamp = stamp_of(self._file)
            if stamp == self._stamp and self._is_read:
                return
            latest = {} if stamp is None else latest_of(read_all(self._file))
        except OSError as error:
            if self._is_readable:
                log.warning("switches_unreadable", file=str(self._file), why=str(error))
            self._is_readable = False
            return
        if self._is_read:
            self._report(latest)
        self._latest, self._stamp = latest, stamp
        self._is_readable = self._is_read = True

    async def watch(self) -> None:
        """Read the file whenever it changes, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.read)

    def _report(self, latest: Mapping[Key, Switched]) -> None:
        for key, one in latest.items():
            if self._latest.get(key) != one:
                until = one.until and one.until.isoformat()
                log.info("switch_changed", target=one.target, name=one.name, until=until, by=one.by)
