"""Counters of calls, for routes that divide them: in memory, and on the disk for the engine that comes after.

No call waits for the disk: it is written beside the calls, again and again while counts change. An engine
that is killed loses what was counted during its last write, some milliseconds.
"""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger()


class Counters:
    """How often each key was counted, in `file`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._counts = load(file)
        self._is_saved = True
        self._saving: asyncio.Task[None] | None = None

    def count(self, key: str) -> int:
        """Add one to the key's count; return the count before."""
        before = self._counts.get(key, 0)
        self._counts[key] = before + 1
        self._is_saved = False
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save())
        return before

    async def saved(self) -> None:
        """Wait until the file has every count, or writing it has failed."""
        if self._saving is not None:
            await self._saving

    async def _save(self) -> None:
        while not self._is_saved:
            self._is_saved = True
            try:
                await asyncio.to_thread(save, self._file, dict(self._counts))
            except OSError as wrong:  # the next count tries again
                log.warning("counters_not_saved", file=str(self._file), why=str(wrong))
                return


def load(file: Path) -> dict[str, int]:
    """Return the counts of the former engine; none if the file is missing or unreadable."""
    counts: dict[str, int] = {}
    try:
        with suppress(FileNotFoundError):
            counts = {str(key): int(count) for key, count in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError, ArithmeticError) as wrong:
        log.warning("counters_unreadable", file=str(file), error=type(wrong).__name__)
    return counts


def save(file: Path, counts: dict[str, int]) -> None:
    """Replace the file. It is not synced: after a power cut, counting goes on from an earlier count."""
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(counts))
    draft.replace(file)
