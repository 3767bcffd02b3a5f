"""Warnings about what a stranger can cause as often as they like: the log must not be filled by them."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

EVERY_SECONDS = 60.0
log = structlog.get_logger()


@dataclass(slots=True)
class _Said:
    until: float
    unlogged: int = 0


class Rarely:
    """Logs a warning at most once a minute for each reason; `unlogged`: how many since were not logged.

    Reasons are words of ours: there are only a few of them.
    """

    def __init__(self, seconds: float = EVERY_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._said: dict[str, _Said] = {}

    def warning(self, event: str, why: str, **values: object) -> None:
        now = self._clock()
        said = self._said.get(why)
        if said is not None and now < said.until:
            said.unlogged += 1
            return
        log.warning(event, why=why, unlogged=said.unlogged if said else 0, **values)
        self._said[why] = _Said(now + self._seconds)
