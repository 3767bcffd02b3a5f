"""What is a call that its own destination has sent back, and what is told of calls that are not taken."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs

from dialplan.caller import Caller, Presentation
from engine.ari.arrival import Arrival
from engine.ari.door import Door
from engine.ari.live import Live
from journal.cel import CelEvent
from journal.entries import CallStarted, Entry, HandedOver, LegAnswered, LegConnected, LegStarted
from journal.state import CallState

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
NUMBER, OTHER, DESTINATION = "+3270012345", "+3270054321", "+3221112233"
CALLER = Caller(Presentation.SHOWN, "+3225551234")


def live(number: str = NUMBER, caller: Caller = CALLER, *, talks: bool = False, channel: str = "ch") -> Live:
    """A call whose destination rings."""
    started = CallStarted("c", AT, number, "acme", caller.withheld, "n", "ch", caller=caller.number or "")
    state = CallState.begun(started)
    entries: list[Entry] = [HandedOver("c", AT, (DESTINATION,), 20), LegStarted("c", AT, "l", DESTINATION)]
    if talks:
        entries += [LegAnswered("c", AT, "l"), LegConnected("c", AT, "l")]
    for entry in entries:
        state.apply(entry)
    line = SimpleNamespace(id=channel, dialled=number)
    return cast(Live, SimpleNamespace(line=line, journal=SimpleNamespace(state=state)))


def came(caller: Caller = CALLER) -> Arrival:
    return Arrival("ch5", "c5", NUMBER, caller, AT)


def test_the_eleventh_call_of_a_caller_while_ten_ring_goes_round() -> None:
    counted: list[str] = []
    door = Door(count=counted.append)
    with capture_logs() as logs:
        assert not door.is_loop(came(), [live()] * 9)
        assert door.is_loop(came(), [live()] * 10)
    assert counted == ["loop"]
    assert [(it["event"], it["why"], it["number"]) for it in logs] == [("call_refused", "loop", NUMBER)]
    assert str(CALLER.number) not in str(logs)


@pytest.mark.parametrize("others", [live(talks=True), live(OTHER)])
def test_calls_that_talk_or_are_of_another_number_are_no_loop(others: Live) -> None:
    assert not Door().is_loop(came(), [others] * 20)


@pytest.mark.parametrize(("why", "counted"), [("number", ["number"]), ("trunk", ["trunk"]), ("soon", [])])
def test_what_asterisk_has_refused_is_counted_by_its_reason(why: str, counted: list[str]) -> None:
    seen: list[str] = []
    extra = {"dialled": NUMBER, "why": why}
    event = CelEvent("REFUSED", AT, "ch", "ch", "PJSIP/from0-1", "refuse", why, extra)
    assert Door(count=seen.append).on_cel(event) == bool(counted)  # for want of a line
    assert seen == counted
