"""Consent to a recording: what goes wrong costs the recording, not the call."""

from typing import Any

import pytest

from dialplan.result import Outcome
from journal.entries import CallerNotified
from tests.unit.fake_dial import Answers, Says
from tests.unit.fake_services import attend, leave_after, take_over
from tests.unit.recorded_calls import (
    COLLEAGUE,
    OFFICE,
    ROUTE,
    SECONDS,
    TALKING,
    after,
    given,
    line_of,
    notice_in,
    services_of,
    without_prompt,
)

# What goes wrong costs the recording, and not the call.


@pytest.mark.looptime
@pytest.mark.parametrize(
    "line_settings",
    [{"unplayable": frozenset({"recording-announcement"})}, {"breaks_on": "recording-announcement"}],
)
async def test_without_its_announcement_heard_the_call_goes_on_unrecorded_and_says_so(
    line_settings: dict[str, Any],
) -> None:
    line, services = line_of(**line_settings), services_of()
    state = await attend(line, services)
    notice = notice_in(services)
    assert (notice.result, notice.why) == ("failed", "the announcement was not heard to its end")
    assert given(line) is None
    assert state.ending is not None
    assert state.ending.outcome == "answered"


@pytest.mark.looptime
async def test_an_announcement_that_is_missing_was_not_heard() -> None:
    line, services = line_of(), without_prompt(services_of(), "recording-announcement")
    await attend(line, services)
    assert notice_in(services).result == "failed"
    assert (line.heard[0], given(line)) == ("ringing", None)


@pytest.mark.looptime
async def test_where_there_is_no_room_no_caller_hears_that_they_are_recorded() -> None:
    line, services = line_of(), services_of(full="1.5 GB are free")
    await attend(line, services)
    assert line.heard[0] == "ringing"
    notice = notice_in(services)
    assert (notice.result, notice.why, notice.policy) == ("skipped", "1.5 GB are free", "announce")
    assert given(line) is None


# After an engine that did not live to see it.


@pytest.mark.looptime
async def test_who_has_heard_the_announcement_does_not_hear_it_from_the_next_engine() -> None:
    line, services = line_of(), services_of()
    await leave_after(SECONDS + 1, line, services)
    await take_over(line, services)
    assert line.heard == [f"{OFFICE} hears recording-announcement", *TALKING]
    assert len(services.of(CallerNotified)) == 1


@pytest.mark.looptime
async def test_who_had_begun_to_hear_it_hears_it_whole_from_the_next_engine() -> None:
    line, services = line_of(), services_of()
    await leave_after(SECONDS - 1, line, services)
    await take_over(line, services)
    assert line.heard[:2] == ["recording-announcement", "ringing"]
    assert notice_in(services).began == after(SECONDS - 1)


@pytest.mark.looptime
async def test_who_has_refused_is_not_asked_by_the_next_engine() -> None:
    line, services = line_of(presses=[(4, "1")]), services_of("opt_out", [*ROUTE, {"ring": COLLEAGUE}])
    line.destinations = {OFFICE: Says(Outcome.BUSY, 5), COLLEAGUE: Answers()}
    await leave_after(6, line, services)
    await take_over(line, services)
    assert line.heard[0] == "ringing"
    assert [connect.recorder for connect in line.handed_over] == [None, None]
