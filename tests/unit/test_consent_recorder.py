"""Consent to a recording: what recorder the ring is given."""

from typing import Any

import pytest

from engine.line import Connect, Recorder
from journal.entries import HandedOver, PartyNotified, StepPerformed
from journal.recorder_terms import RecorderTerms
from tests.unit.fake_dial import Answers, Says
from tests.unit.fake_services import attend
from tests.unit.fakes import FakeLine
from tests.unit.recorded_calls import (
    AUDIO,
    COLLEAGUE,
    OFFICE,
    given,
    line_of,
    notice_in,
    prompt,
    services_of,
    without_prompt,
)

# What recorder the ring is given.


@pytest.mark.looptime
@pytest.mark.parametrize(("policy", "presses"), [("announce", []), ("opt_in", [(4, "1")]), ("opt_out", [])])
async def test_the_destination_is_told_and_not_asked(policy: str, presses: list[tuple[float, str]]) -> None:
    line, services = line_of(presses=presses), services_of(policy, recording_notice="ours")
    await attend(line, services)
    statement = "ours" if policy == "announce" else "recording-announcement"
    assert given(line) == Recorder(AUDIO, prompt(statement), caller_may_stop=False)


@pytest.mark.looptime
@pytest.mark.parametrize("may", [True, False])
async def test_the_caller_may_stop_it_where_the_owner_says_so(may: bool) -> None:
    line = line_of()
    await attend(line, services_of(caller_may_stop=str(may).lower()))
    assert given(line) == Recorder(AUDIO, prompt("recording-announcement"), caller_may_stop=may)


@pytest.mark.looptime
async def test_a_destination_that_has_agreed_once_and_for_all_hears_nothing() -> None:
    line, services = line_of(), services_of(destinations_know="true")
    await attend(line, services)
    assert given(line) == Recorder(AUDIO, None, caller_may_stop=False)
    assert not [words for words in line.heard if "hears" in words]
    assert [party.result for party in services.of(PartyNotified)] == ["known"]


@pytest.mark.looptime
async def test_nothing_is_recorded_where_the_destination_could_not_be_told() -> None:
    """The caller was asked, by another prompt, and agreed."""
    line, services = line_of(), without_prompt(services_of("opt_out"), "recording-announcement")
    await attend(line, services)
    assert notice_in(services).result == "heard"
    assert given(line) is None


@pytest.mark.looptime
async def test_a_prompt_that_is_missing_does_not_matter_to_destinations_that_know() -> None:
    line = line_of()
    await attend(
        line, without_prompt(services_of("opt_out", destinations_know="true"), "recording-announcement")
    )
    assert given(line) == Recorder(AUDIO, None, caller_may_stop=False)


@pytest.mark.looptime
async def test_the_terms_of_a_recording_are_on_the_disk_before_asterisk_may_begin_it() -> None:
    seen: list[HandedOver] = []

    class Watched(FakeLine):
        async def connect(self, connect: Connect) -> Any:
            seen.extend(services.of(HandedOver))
            return await super().connect(connect)

    services = services_of(keep_recordings="2 weeks", recordings="opus")
    await attend(Watched({OFFICE: Answers()}), services)
    assert [entry.recorder for entry in seen] == [
        RecorderTerms(
            AUDIO,
            14 * 86400,
            "opus",
            "announce",
            announcement="recording-announcement",
            sha256="sha256 of recording-announcement",
            language="nl",
        )
    ]


@pytest.mark.looptime
async def test_the_terms_name_no_announcement_where_the_destination_hears_none() -> None:
    services = services_of(destinations_know="true")
    await attend(line_of(), services)
    (terms,) = (entry.recorder for entry in services.of(HandedOver))
    assert terms is not None
    assert (terms.announcement, terms.sha256, terms.language) == ("", "", "")


@pytest.mark.looptime
async def test_a_destination_that_leaves_when_it_hears_it_has_not_taken_the_call_and_the_route_goes_on() -> (
    None
):
    does: dict[str, Answers | Says] = {OFFICE: Answers(leaves=1), COLLEAGUE: Answers()}
    line, services = FakeLine(does), services_of(route=[{"ring": OFFICE}, {"ring": COLLEAGUE}])
    state = await attend(line, services)
    assert [step.outcome for step in services.of(StepPerformed)] == ["rejected", "taken"]
    assert state.connected is not None
    assert state.legs[state.connected.leg].to == COLLEAGUE
    assert [leg.outcome for leg in state.legs.values()] == ["rejected", "taken"]


@pytest.mark.looptime
async def test_a_caller_who_gives_up_while_the_destination_hears_it_was_never_answered() -> None:
    line, services = line_of(hangs_up_after=6), services_of()
    state = await attend(line, services)
    assert (state.answered, state.connected, state.recording) == (None, None, None)
    assert state.ending is not None
    assert (state.ending.outcome, state.ending.ended_by) == ("abandoned", "caller")


@pytest.mark.looptime
async def test_what_the_destination_did_not_hear_to_its_end_leaves_both_unrecorded_and_talking() -> None:
    line = line_of(unplayable_to_destinations=frozenset({"recording-announcement"}))
    state = await attend(line, services := services_of())
    (party,) = services.of(PartyNotified)
    assert (party.result, state.consent.allows(party.leg), state.recording) == ("failed", False, None)
    assert state.ending is not None
    assert state.ending.outcome == "answered"
