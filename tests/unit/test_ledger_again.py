"""CEL as entries of a call's journal: lines that are read again, and lines in any order."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.result import Outcome
from journal.cel import BUILT_IN, CelEvent
from journal.codec import encode
from tests.unit.cel_events import (
    CALLER,
    HOME,
    LEG_ONE,
    LEG_TWO,
    OFFICE,
    ONE,
    TALKING,
    TOLD_BY_DIALPLAN,
    TWO,
    C,
    D,
    after,
    back,
    event,
    hangup,
    legs_told,
    read,
    started,
)
from tests.unit.test_ledger import ENDINGS

# Lines that are read again, and lines in no order.

BOTH = [f"{ONE}:Ringing:0:180:{OFFICE}", f"{TWO}:Down:17:486:{HOME}"]
STORIES: dict[str, Sequence[CelEvent]] = {
    **{
        row: [*TALKING, hangup(CALLER, 9, *callers), hangup(ONE, 9.001, *destinations)]
        for row, (callers, destinations, _) in ENDINGS.items()
    },
    **{
        f"{row}, the destination first": [
            *TALKING,
            back(8.9, kind="CALL", rang="250", status="ANSWER"),
            hangup(ONE, 9.001, *destinations),
            hangup(CALLER, 9, *callers),
        ]
        for row, (callers, destinations, _) in ENDINGS.items()
    },
    "nobody, and again": [
        LEG_ONE,
        LEG_TWO,
        hangup(TWO, 1, 17),
        hangup(ONE, 25, 0),
        back(25.1, *BOTH, rang="250"),
        event("CHAN_START", "dev-1795776999.3", 30),
        hangup("dev-1795776999.3", 55, 0),
        back(55.1, f"dev-1795776999.3:Ringing:0:180:{OFFICE}", ring="2", rang="100"),
        hangup(CALLER, 56, 19),
    ],
    "given up": [
        LEG_ONE,
        LEG_TWO,
        hangup(TWO, 1, 17),
        hangup(ONE, 4, 127),
        back(4, *BOTH, kind="CALL", status="CANCEL"),
        hangup(CALLER, 4, 0, C, "CANCEL"),
    ],
    "the fallback": [
        event("FALLBACK", CALLER, 0),
        LEG_ONE,
        hangup(ONE, 1, 17),
        back(1, f"{ONE}:Down:17:486:{OFFICE}", kind="NOBODY"),
        hangup(CALLER, 1.1, 17, TOLD_BY_DIALPLAN),
    ],
}


@pytest.mark.parametrize("story", STORIES)
def test_any_beginning_that_is_read_again_changes_nothing(story: str) -> None:
    events = STORIES[story]
    for end in range(1, len(events) + 1):
        for begin in range(end):
            state = after(*events[:end])
            read(state, events[begin:end])
            assert state == after(*events[:end])
            read(state, events[begin:])
            assert state == after(*events)


@given(st.sampled_from(sorted(STORIES)), st.data())
def test_a_line_that_comes_twice_wherever_changes_nothing(story: str, data: st.DataObject) -> None:
    events = list(STORIES[story])
    again = data.draw(st.lists(st.integers(0, len(events) - 1), max_size=6))
    doubled = [(place, one) for place, one in enumerate(events)]
    for place in again:
        later = data.draw(st.integers(place, len(events) - 1))
        doubled.append((later, events[place]))
    doubled.sort(key=lambda it: it[0])
    assert after(*[one for _, one in doubled]) == after(*events)


@pytest.mark.parametrize("story", STORIES)
def test_what_was_read_is_what_the_journal_says_of_it(story: str) -> None:
    """Nothing in the entries keeps them from the disk."""
    assert all(encode(entry) for entry in read(started(), STORIES[story]))


RECORDER = ["INFORMED", "REC_START", "REC_PAUSE", "REC_RESUME", "REC_STOP"]
OF_RECORDER = ["result", "began", "ended", "how", "at"]
texts = [
    "inf",
    "1795773600000",
    "1795773600.5",
    "SUCCESS",
    "LEFT",
    "key",
    "auto",
    "",
    "0",
    "16",
    "44",
    "250",
    "x",
    "9" * 30,
    C,
    D,
    OFFICE,
    legs_told(*BOTH),
    "&&:::::",
]
values = st.sampled_from(texts) | st.integers(0, 200) | st.none() | st.text("019x:&-", max_size=5)
keys = st.sampled_from(
    ["to", "hangupcause", "hangupsource", "legs", "rang", "progress", "status", "ring", *OF_RECORDER]
)


def any_event(kind: str, channel: str, seconds: int, extra: dict[str, Any]) -> CelEvent:
    """The values of a user event are text (engine.ari.cel)."""
    if kind not in BUILT_IN:
        extra = {key: str(value) for key, value in extra.items()}
    return event(kind, channel, seconds, **extra)


events_made_up = st.builds(
    any_event,
    st.sampled_from([*sorted(BUILT_IN), "RING", "BACK", "CALL", "NOBODY", "FALLBACK", *RECORDER]),
    st.sampled_from([CALLER, ONE, TWO, "dev-1795776980.9"]),
    st.integers(0, 100),
    st.dictionaries(keys, values, max_size=4),
)
events_seen = st.sampled_from([one for story in STORIES.values() for one in story])


@given(st.lists(events_made_up | events_seen, max_size=15))
def test_whatever_comes_in_whatever_order_the_state_makes_sense(events: list[CelEvent]) -> None:
    state = started()
    for one in events:
        with suppress(ValueError, KeyError):
            read(state, [one])
    for leg_id, leg in state.legs.items():
        assert leg.leg_id == leg_id
        assert (leg.outcome is None) == (leg.ended is None)
        assert leg.outcome is not Outcome.DONE
        assert leg.outcome is not Outcome.TAKEN or leg.connected is not None
    connected = [leg.leg_id for leg in state.legs.values() if leg.connected]
    assert (state.connected is None) == (not connected)
    assert state.connected is None or state.connected.leg in connected
    assert state.left is None or state.left.by in ("caller", "destination", "limit", "network", "engine")
    if state.left is not None and state.left.by in ("destination", "limit"):
        assert state.connected is not None
    assert state.handovers == [state.handed_over]
