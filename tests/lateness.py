"""How late this machine is: bounds that hold on an idle one are widened by it.

The telephones and carriers of the tests share two cores with what they measure. A thread that is due every
10 ms shows how long a process waits for its turn meanwhile.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

TICK = 0.01  # s
# How long a test waits, in seconds, for what comes in every run that passes. On an idle machine it comes at
# once; a loaded one may need ten times as long, and a bound that nobody reaches costs nothing.
PATIENCE = 30.0


class Metronome:
    """`worst`: the longest that one of its ticks has been late, s."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._over = Event()
        self._thread = Thread(target=self._tick, name="metronome", daemon=True)
        self._thread.start()

    def _tick(self) -> None:
        due = time.monotonic() + TICK
        while not self._over.wait(max(due - time.monotonic(), 0)):
            now = time.monotonic()
            self.worst = max(self.worst, now - due)
            due = now + TICK

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


_running: list[Metronome] = []


@contextmanager
def measured_lateness() -> Iterator[None]:
    """`late()` is that of the time since this block began."""
    _running.append(Metronome())
    try:
        yield
    finally:
        _running.pop().stop()


def late() -> timedelta:
    """How much later than on an idle machine an event may be: both ends of a measurement wait for a turn."""
    return timedelta(seconds=2 * _running[-1].worst)
