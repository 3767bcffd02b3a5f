"""What an engine finds in its journal at start: when Asterisk last lived, and which calls ended of late."""

from datetime import timedelta
from pathlib import Path

from journal.entries import CallEnded, ClockStepped, Heartbeat
from journal.recovery import recover
from tests.unit.journals import AT, opened, over, started

HOUR = timedelta(hours=1)


async def test_the_last_instant_is_that_of_the_clock_as_it_was_set_last(tmp_path: Path) -> None:
    """Else a call that ended with Asterisk and engine would be billed for another hour."""
    async with opened(tmp_path) as journal:
        journal.append(started("a"))
        journal.append(Heartbeat(AT + timedelta(seconds=9)))
        journal.append(ClockStepped("a", AT - HOUR, AT, -3600.0))
        journal.append(started("b", -3590))
        await journal.append(Heartbeat(AT - HOUR + timedelta(seconds=20)))
    for _ in range(2):
        async with opened(tmp_path) as successor:  # the second one reads a checkpoint
            assert successor.last_known == AT - HOUR + timedelta(seconds=20)


async def test_calls_that_ended_of_late_are_known_though_another_engine_began_meanwhile(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as journal:
        journal.append(started("a"))
        await journal.append(over("a"))
    async with opened(tmp_path) as journal:
        await journal.append(started("b"))
    async with opened(tmp_path) as journal:
        assert journal.ended == {"a": AT}
        await journal.append(CallEnded("b", AT + HOUR, over("b").outcome, "caller", 16))
    assert recover(tmp_path).ended == {"a": AT, "b": AT + HOUR}
