"""Calls as the journal tells them, for the store tests."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

Entry = dict[str, Any]


def call_id(n: int) -> str:
    return str(UUID(int=0x018F_0000_0000_7000_8000_0000_0000_0000 + n))


def answered_call(n: int, **start: Any) -> list[Entry]:
    """Call `n`, begun n seconds after noon: the first destination is busy, the second talks for 60.5 s."""
    call = call_id(n)
    began = NOON + timedelta(seconds=n)

    def entry(kind: str, seconds: float, **more: Any) -> Entry:
        return {"call": call, "kind": kind, "at": (began + timedelta(seconds=seconds)).isoformat(), **more}

    told = {"number": "+3270012345", "owner": "acme", "caller": "+32470111222", "withheld": False}
    return [
        entry("call_start", 0, **told | {"node": "here", "channel": f"{call}-a"} | start),
        entry("leg_start", 1, leg=f"{call}-b1", to="+3221112233"),
        entry("leg_end", 2, leg=f"{call}-b1", outcome="busy", cause=17),
        entry("leg_start", 2, leg=f"{call}-b2", to="+3221112244"),
        entry("leg_ringing", 2.5, leg=f"{call}-b2"),
        entry("leg_answer", 6.123, leg=f"{call}-b2"),
        entry("answered", 6.123, to="+3221112244"),
        entry("leg_end", 66.623, leg=f"{call}-b2", outcome="taken", cause=16),
        entry("call_end", 66.623, outcome="answered", ended_by="caller", cause=16),
    ]


def lost_call(n: int) -> list[Entry]:
    """The same call, as an engine tells it that found nothing but its start."""
    start, *_, end = answered_call(n)
    return [start, end | {"outcome": "lost", "ended_by": "lost", "cause": None}]
