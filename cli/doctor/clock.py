"""Whether the clock is kept by a time service."""

import ctypes

from cli.doctor.finding import Finding, warning
from cli.doctor.scene import Scene

TIME_ERROR = 5  # linux/timex.h: the clock is not synchronised
TIMEX_BYTES = 512  # more than sizeof(struct timex); all zero only reads


async def clock(scene: Scene) -> list[Finding]:
    """A time service keeps the clock."""
    return of_state(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))


def of_state(state: int) -> list[Finding]:
    """`state`: what adjtimex() returned."""
    if state != TIME_ERROR:
        return []
    remedy = "apt-get install chrony; docs/operating.md, Clock, says how it must slew"
    return [warning("the clock is not synchronised", remedy)]
