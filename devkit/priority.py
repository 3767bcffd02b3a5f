"""Real-time priority for Asterisk, so that nothing else keeps it from its clocks."""

import os
from contextlib import suppress
from pathlib import Path

REAL_TIME = 10  # the priority that Asterisk gives itself by `highpriority = yes`, if root starts it


def put_first(pid: int) -> None:
    """Give every thread of a process real-time priority, where we may; those it makes later inherit it.

    Not before Asterisk has begun: started by root it gives back what it was given (main/asterisk.c). Not by
    its `-p`, as Debian's unit does: killed, it leaves `astcanary` behind
    (docs/decisions/008-real-time-priority.md).
    """
    while sum(_raise(int(thread.name)) for thread in Path(f"/proc/{pid}/task").iterdir()):
        pass  # a thread may have made others meanwhile


def _raise(thread: int) -> bool:
    """Whether it had to be, and could be."""
    with suppress(OSError):  # it has ended; or we may not
        if os.sched_getscheduler(thread) != os.SCHED_RR:
            os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(REAL_TIME))
            return True
    return False
