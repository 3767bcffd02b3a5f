"""Failpoints, where a fault test breaks the program; otherwise `point("drain.after_commit")` does nothing.

`CALLENGINE_FAILPOINT=name[:n][:kill|raise|full|stop|sleep=SECONDS]` breaks the n-th passing of that point, by
default the first; `n+` also breaks all later ones. `kill`, the default, kills the process; `raise` raises an
`OSError`, `full` that of a full disk; `stop` stops the process until SIGCONT; `sleep` blocks the thread.
`CALLENGINE_FAILPOINT=@FILE`: that file has the text, or nothing, and each passing reads it anew; so a test
arms one point after the other. Passings are not counted then.
"""

import errno
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

VARIABLE = "CALLENGINE_FAILPOINT"
ACTIONS = ("kill", "raise", "full", "stop")


class Fault(OSError):
    """An effect that failed like a disk or a network."""


@dataclass(frozen=True, slots=True)
class Failpoint:
    """Break the `nth` passing of the point `name`, by `action`; and, if it `lasts`, all later ones."""

    name: str
    nth: int = 1
    action: str = "kill"
    lasts: bool = False

    def breaks(self, passing: int) -> bool:
        return passing == self.nth or (self.lasts and passing > self.nth)


def parse(text: str) -> Failpoint:
    """Raises ValueError for an invalid text: a fault test must not pass without a fault."""
    name, *rest = text.split(":")
    times = rest.pop(0) if rest and rest[0].removesuffix("+").isdecimal() else "1"
    nth, lasts = int(times.removesuffix("+")), times.endswith("+")
    action = rest.pop(0) if rest else "kill"
    is_known = action in ACTIONS or action.startswith("sleep=")
    if rest or not name or nth < 1 or not is_known:
        raise ValueError(f"{VARIABLE}={text}: write name[:n][:kill|raise|full|stop|sleep=SECONDS]")
    return Failpoint(name, nth, action, lasts)


def from_file(file: Path) -> Failpoint | None:
    """What the file says now; None if it is empty or missing."""
    with suppress(FileNotFoundError):
        if text := file.read_text():
            return parse(text)
    return None


_told = os.environ.get(VARIABLE, "")
_file = Path(_told[1:]) if _told.startswith("@") else None
_armed = parse(_told) if _told and _file is None else None
_passings = count(1)  # a step of a count is atomic: several threads pass points


def point(name: str) -> None:
    """Pass this failpoint; break here if CALLENGINE_FAILPOINT says so."""
    if _armed is not None and _armed.name == name and _armed.breaks(next(_passings)):
        _break(_armed)
    elif _file is not None and (armed := from_file(_file)) is not None and armed.name == name:
        _break(armed)


def _break(armed: Failpoint) -> None:
    if armed.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif armed.action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif armed.action == "raise":
        raise Fault(f"failpoint {armed.name}")
    elif armed.action == "full":
        raise Fault(errno.ENOSPC, f"failpoint {armed.name}")
    else:
        time.sleep(float(armed.action.removeprefix("sleep=")))
