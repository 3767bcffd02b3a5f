"""Switches as an owner sees them: those of this node's file, and those that are on their way to it."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from config.switches import Key, Stamp, Switched, latest_of, read_all, stamp_of
from dialplan.number import ServiceNumber

LONGEST = timedelta(days=31)  # that an owner may put a switch on for


class SwitchFile:
    """The latest line of each switch, read again when the file has changed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: Stamp = None
        self._latest: Mapping[Key, Switched] = {}

    async def latest(self) -> Mapping[Key, Switched]:
        """If the file cannot be read, what was read before stays."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> Mapping[Key, Switched]:
        try:
            stamp = stamp_of(self._file)
            if stamp != self._stamp:
                self._latest = {} if stamp is None else latest_of(read_all(self._file))
                self._stamp = stamp
        except OSError:
            pass
        return self._latest


def may_end(until: datetime, now: datetime) -> bool:
    """Whether an owner may put a switch on until then."""
    return timedelta(0) < until - now <= LONGEST


def number_with(numbers: Iterable[ServiceNumber], written: str, name: str) -> ServiceNumber | None:
    """The number whose route depends on this switch; None if these have no such number or switch."""
    return next((one for one in numbers if one.number == written and name in one.switches), None)


def newest(file: Mapping[Key, Switched], own: Iterable[Switched]) -> Mapping[Key, Switched]:
    """Both together: of two lines of a switch the later one counts."""
    found = dict(file)
    for one in own:
        if one.key not in found or found[one.key].at < one.at:
            found[one.key] = one
    return found


def switches_of(
    number: ServiceNumber, latest: Mapping[Key, Switched], at: datetime
) -> Mapping[str, Switched | None]:
    """Each switch that the route of this number depends on, and the line by which it is on at this moment."""
    return {name: _line_on(number, name, latest, at) for name in number.switches}


def _line_on(
    number: ServiceNumber, name: str, latest: Mapping[Key, Switched], at: datetime
) -> Switched | None:
    lines = (latest.get((target, name)) for target in (number.number, number.owner))
    return next((one for one in lines if one and one.at <= at and one.is_on(at)), None)
