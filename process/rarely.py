"""Rate-limited warnings about events that strangers can cause: they must not fill the log."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

EVERY_SECONDS = 60.0
log = structlog.get_logger()


@dataclass(slots=True)
class _Logged:
    until: float
    unlogged: int = 0


class Rarely:
    """Logs a warning at most once a minute for each reason; `unlogged` counts the ones left out since.

    Reasons are fixed texts of ours, so there are only a few.
    """

    def __init__(self, seconds: float = EVERY_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._logged: dict[str, _Logged] = {}

    def warning(self, event: str, why: str, **values: object) -> None:
        now = self._clock()
        last = self._logged.get(why)
        if last is not None and now < last.until:
            last.unlogged += 1
            return
        log.warning(event, why=why, unlogged=last.unlogged if last else 0, **values)
        self._logged[why] = _Logged(now + self._seconds)
