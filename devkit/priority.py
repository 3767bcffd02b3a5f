"""Real-time priority for Asterisk, so that other processes do not delay its timers."""

import os
from contextlib import suppress
from pathlib import Path

REAL_TIME = 10  # the priority that Asterisk gives itself by `highpriority = yes`, if root starts it


def put_first(pid: int) -> None:
    """Give every thread of a process real-time priority, if we may; new threads inherit it.

    Not before Asterisk has started: started by root, it resets its priority (main/asterisk.c). Not by `-p`,
    as Debian's unit does: if Asterisk is killed, `astcanary` stays
    (docs/decisions/008-real-time-priority.md).
    """
    while sum(_raise(int(thread.name)) for thread in Path(f"/proc/{pid}/task").iterdir()):
        pass  # threads may have started others meanwhile


def _raise(thread: int) -> bool:
    """Raise the priority of a thread; return whether it was changed."""
    with suppress(OSError):  # the thread has ended, or we have no permission
        if os.sched_getscheduler(thread) != os.SCHED_RR:
            os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(REAL_TIME))
            return True
    return False
