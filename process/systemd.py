"""Reports to systemd (sd_notify): the process is ready, its event loop runs, the process stops.

Outside a unit with Type=notify nothing is sent. systemd restarts a process that has not reported for
WatchdogSec: a blocked event loop serves no call, and does not end by itself.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, socket

REPORTS = 3  # in each WatchdogSec


@contextmanager
def reported_to_systemd(clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[], None]]:
    """Report ready, and stopping at the end of the block. Call the value while the event loop runs, as often
    as you like: it reports at most three times per WatchdogSec.
    """
    interval = _watchdog_seconds() / REPORTS
    due = clock()

    def is_alive() -> None:
        nonlocal due
        if interval and clock() >= due:
            due = clock() + interval
            notify("WATCHDOG=1")

    notify("READY=1")
    try:
        yield is_alive
    finally:
        notify("STOPPING=1")


def notify(state: str) -> None:
    """Send `state` to systemd if it asked for reports. Never raise, never wait."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK) as channel:
        channel.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def is_journal(descriptor: int) -> bool:
    """Whether journald reads this descriptor; then each line may begin with a priority."""
    try:
        stat = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def _watchdog_seconds() -> float:
    """WatchdogSec of the unit; 0 without one, or if it applies to another process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    try:
        return int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return 0
