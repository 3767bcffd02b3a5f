"""Consent to a recording: what the caller hears before anything rings, and what recorder a ring is given."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from dialplan.number import LANGUAGES, Owner, RecordingPolicy
from dialplan.prompt import RECORDING_PROMPTS, Prompt
from dialplan.result import Outcome
from engine.ari.keys import MOST_WAITING, Keys
from engine.call import CallTerms
from engine.line import Connect, Key, Recorder
from engine.notice import Acceptance, Announcement, Refusal
from journal.entries import (
    CallerNotified,
    HandedOver,
    LegStarted,
    PartyNotified,
    RecorderTerms,
    RecordingEnded,
    RecordingStarted,
    StepPerformed,
)
from tests.unit.fakes import START, Answers, FakeCallServices, FakeLine, Says, attend, leave_after, take_over
from tests.unit.folders import NUMBER, good_folder, write_prompt
from tests.unit.routes import Raw, service_number

OFFICE, COLLEAGUE = "+3221112233", "+3221112244"
ROUTE: list[Raw] = [{"ring": OFFICE}]
AUDIO = "0199-call-rec1"
SECONDS = 3.0
RINGS = 2  # seconds
TALK = SECONDS + RINGS + SECONDS  # begins, when caller and destination have heard it
TALKING = [f"recording as {AUDIO}", "answered", f"talking to {OFFICE}"]


def prompt(name: str) -> Prompt:
    return Prompt(name, Path(f"{name}.wav"), SECONDS, f"sha256 of {name}")


def desk_of(
    record: str = "announce", route: list[Raw] = ROUTE, *, full: str | None = None, **settings: Any
) -> FakeCallServices:
    owner = Owner.model_validate({"name": "ACME", "language": "nl", **settings})
    return FakeCallServices(CallTerms(service_number(route, record=record), owner, prompt), full=full)


def without_prompt(services: FakeCallServices, missing: str) -> FakeCallServices:
    """The same services, where the prompt of this name cannot be read."""
    terms = services.call_terms
    assert terms is not None
    services.call_terms = replace(terms, prompt=lambda name: None if name == missing else prompt(name))
    return services


def line_of(talks: float = 60, leaves: float | None = None, **settings: Any) -> FakeLine:
    return FakeLine({OFFICE: Answers(after=RINGS, talks=talks, leaves=leaves)}, **settings)


def notice_in(services: FakeCallServices) -> CallerNotified:
    (notice,) = services.of(CallerNotified)
    return notice


def given(line: FakeLine) -> Recorder | None:
    """The recorder of the only ring."""
    (connect,) = line.handed_over
    return connect.recorder


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# What was agreed.


@pytest.mark.parametrize(
    ("policy", "pressed", "allowed"),
    [
        ("off", False, False),
        ("off", True, False),
        ("announce", False, True),
        ("announce", True, True),
        ("opt_out", False, True),
        ("opt_out", True, False),
        ("opt_in", False, False),
        ("opt_in", True, True),
    ],
)
def test_whether_a_caller_may_be_recorded(policy: str, pressed: bool, allowed: bool) -> None:
    assert RecordingPolicy(policy).allows(pressed=pressed) is allowed


def test_the_owners_own_announcement_comes_before_the_one_brought_along() -> None:
    number = service_number(ROUTE, record="opt_in")
    assert number.announcement(Owner(name="ACME")) == "recording-opt-in"
    assert number.announcement(Owner(name="ACME", recording_notice="ours")) == "ours"
    assert service_number(ROUTE).announcement(Owner(name="ACME", recording_notice="ours")) == ""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", RECORDING_PROMPTS)
def test_each_announcement_is_brought_along_in_each_language(
    tmp_path: Path, name: str, language: str
) -> None:
    good_folder(tmp_path)
    found = load(tmp_path, Policy()).prompt(name, language)
    assert found is not None
    assert found.seconds > 1
    assert found.path.parent.name == language


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good folder whose owner announces recordings by `ours`, a prompt that is not there."""
    good_folder(tmp_path)
    (tmp_path / "owners" / "acme.yaml").write_text("name: ACME\nlanguage: nl\nrecording_notice: ours\n")
    (tmp_path / "numbers" / "main.yaml").write_text(NUMBER.replace("route:", "record: opt_in\nroute:"))
    return tmp_path


def test_an_announcement_that_is_not_there_is_told_before_any_caller_misses_it(folder: Path) -> None:
    with pytest.raises(ConfigErrors) as wrong:
        load(folder, Policy())
    assert "record: there is no prompt `ours` in nl; put the file at prompts/nl/ours.wav" in str(wrong.value)
    write_prompt(folder / "prompts" / "nl" / "ours.wav")
    assert load(folder, Policy()).numbers


def test_an_announcement_that_was_not_played_as_long_as_it_is_was_not_heard() -> None:
    announcement = Announcement(RecordingPolicy.ANNOUNCE, prompt("ours"), "nl")
    assert announcement.is_whole(START, START + timedelta(seconds=SECONDS - 0.1))
    assert not announcement.is_whole(START, START + timedelta(seconds=SECONDS - 0.5))


def test_who_refuses_gives_no_notice() -> None:
    asked = Announcement(RecordingPolicy.OPT_OUT, prompt("ours"), "nl")
    assert isinstance(asked.notice(START, START, pressed=True), Refusal)
    assert isinstance(asked.notice(START, START, pressed=False), Acceptance)


# What the caller hears.


@pytest.mark.looptime
async def test_the_caller_hears_it_before_anything_rings_and_the_destination_before_they_talk() -> None:
    line, services = line_of(), desk_of(keep_recordings="2 weeks", recordings="opus")
    await attend(line, services)
    assert line.heard == [
        "recording-announcement",
        "ringing",
        f"{OFFICE} hears recording-announcement",
        f"recording as {AUDIO}",
        "answered",
        f"talking to {OFFICE}",
    ]
    assert notice_in(services) == CallerNotified(
        "0199-call",
        after(SECONDS),
        "heard",
        "announce",
        announcement="recording-announcement",
        sha256="sha256 of recording-announcement",
        language="nl",
        began=after(0),
        ended=after(SECONDS),
    )
    assert [(entry.audio, entry.at) for entry in services.of(RecordingEnded)] == [(AUDIO, after(TALK + 60))]


@pytest.mark.looptime
async def test_where_nothing_is_recorded_nothing_is_announced() -> None:
    line, services = line_of(), desk_of("off")
    await attend(line, services)
    assert line.heard[:2] == ["ringing", "answered"]
    assert given(line) is None
    assert services.of(CallerNotified) == []


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("policy", "presses", "result", "asked_for"),
    [
        ("opt_in", [], "refused", SECONDS + 5),
        ("opt_in", [(4, "1")], "heard", 4),
        ("opt_in", [(4, "2")], "refused", SECONDS + 5),
        ("opt_in", [(4, "21")], "heard", 4),
        ("opt_in", [(SECONDS + 5.5, "1")], "refused", SECONDS + 5),
        ("opt_in", [(1, "1")], "heard", SECONDS),  # pressed during the question: taken after it
        ("opt_out", [], "heard", SECONDS + 5),
        ("opt_out", [(4, "31")], "refused", 4),
    ],
)
async def test_the_caller_is_recorded_as_they_answer(
    policy: str, presses: list[tuple[float, str]], result: str, asked_for: float
) -> None:
    line, services = line_of(presses=presses), desk_of(policy)
    await attend(line, services)
    notice = notice_in(services)
    pressed = (policy, result) in (("opt_in", "heard"), ("opt_out", "refused"))
    assert (notice.result, notice.answer, notice.policy) == (result, "1" if pressed else "", policy)
    assert (notice.began, notice.ended) == (after(0), after(SECONDS))
    assert services.of(LegStarted)[0].at == after(asked_for)
    assert (given(line) is not None) is (result == "heard")
    assert [entry.audio for entry in services.of(RecordingStarted)] == ([AUDIO] if result == "heard" else [])


@pytest.mark.looptime
@pytest.mark.parametrize(("policy", "recorders"), [("announce", 2), ("opt_in", 0)])
async def test_the_caller_is_told_or_asked_once_however_many_destinations_ring(
    policy: str, recorders: int
) -> None:
    does: dict[str, Answers | Says] = {OFFICE: Says(Outcome.BUSY), COLLEAGUE: Answers()}
    line, services = FakeLine(does), desk_of(policy, [{"ring": OFFICE}, {"ring": COLLEAGUE}])
    await attend(line, services)
    assert len([words for words in line.heard if words.startswith("recording-")]) == 1
    assert len([connect for connect in line.handed_over if connect.recorder]) == recorders
    assert len(services.of(CallerNotified)) == 1


@pytest.mark.looptime
async def test_a_caller_who_hangs_up_in_the_announcement_is_not_recorded() -> None:
    line, services = line_of(hangs_up_after=1), desk_of()
    state = await attend(line, services)
    assert services.kinds == ["CallStarted", "CallerLeft", "CallEnded"]
    assert state.ending is not None
    assert state.ending.outcome == "abandoned"


# What recorder the ring is given.


@pytest.mark.looptime
@pytest.mark.parametrize(("policy", "presses"), [("announce", []), ("opt_in", [(4, "1")]), ("opt_out", [])])
async def test_the_destination_is_told_and_not_asked(policy: str, presses: list[tuple[float, str]]) -> None:
    line, services = line_of(presses=presses), desk_of(policy, recording_notice="ours")
    await attend(line, services)
    statement = "ours" if policy == "announce" else "recording-announcement"
    assert given(line) == Recorder(AUDIO, prompt(statement), caller_may_stop=False)


@pytest.mark.looptime
@pytest.mark.parametrize("may", [True, False])
async def test_the_caller_may_stop_it_where_the_owner_says_so(may: bool) -> None:
    line = line_of()
    await attend(line, desk_of(caller_may_stop=str(may).lower()))
    assert given(line) == Recorder(AUDIO, prompt("recording-announcement"), caller_may_stop=may)


@pytest.mark.looptime
async def test_a_destination_that_has_agreed_once_and_for_all_hears_nothing() -> None:
    line, services = line_of(), desk_of(destinations_know="true")
    await attend(line, services)
    assert given(line) == Recorder(AUDIO, None, caller_may_stop=False)
    assert not [words for words in line.heard if "hears" in words]
    assert [party.result for party in services.of(PartyNotified)] == ["known"]


@pytest.mark.looptime
async def test_nothing_is_recorded_where_the_destination_could_not_be_told() -> None:
    """The caller was asked, by another prompt, and agreed."""
    line, services = line_of(), without_prompt(desk_of("opt_out"), "recording-announcement")
    await attend(line, services)
    assert notice_in(services).result == "heard"
    assert given(line) is None


@pytest.mark.looptime
async def test_a_prompt_that_is_missing_does_not_matter_to_destinations_that_know() -> None:
    line = line_of()
    await attend(line, without_prompt(desk_of("opt_out", destinations_know="true"), "recording-announcement"))
    assert given(line) == Recorder(AUDIO, None, caller_may_stop=False)


@pytest.mark.looptime
async def test_the_terms_of_a_recording_are_on_the_disk_before_asterisk_may_begin_it() -> None:
    seen: list[HandedOver] = []

    class Watched(FakeLine):
        async def connect(self, connect: Connect) -> Any:
            seen.extend(services.of(HandedOver))
            return await super().connect(connect)

    services = desk_of(keep_recordings="2 weeks", recordings="opus")
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
    services = desk_of(destinations_know="true")
    await attend(line_of(), services)
    (terms,) = (entry.recorder for entry in services.of(HandedOver))
    assert terms is not None
    assert (terms.announcement, terms.sha256, terms.language) == ("", "", "")


@pytest.mark.looptime
async def test_a_destination_that_leaves_when_it_hears_it_has_not_taken_the_call_and_the_route_goes_on() -> (
    None
):
    does: dict[str, Answers | Says] = {OFFICE: Answers(leaves=1), COLLEAGUE: Answers()}
    line, services = FakeLine(does), desk_of(route=[{"ring": OFFICE}, {"ring": COLLEAGUE}])
    state = await attend(line, services)
    assert [step.outcome for step in services.of(StepPerformed)] == ["rejected", "taken"]
    assert state.connected is not None
    assert state.legs[state.connected.leg].to == COLLEAGUE
    assert [leg.outcome for leg in state.legs.values()] == ["rejected", "taken"]


@pytest.mark.looptime
async def test_a_caller_who_gives_up_while_the_destination_hears_it_was_never_answered() -> None:
    line, services = line_of(hangs_up_after=6), desk_of()
    state = await attend(line, services)
    assert (state.answered, state.connected, state.recording) == (None, None, None)
    assert state.ending is not None
    assert (state.ending.outcome, state.ending.ended_by) == ("abandoned", "caller")


@pytest.mark.looptime
async def test_what_the_destination_did_not_hear_to_its_end_leaves_both_unrecorded_and_talking() -> None:
    line = line_of(unplayable_to_destinations=frozenset({"recording-announcement"}))
    state = await attend(line, services := desk_of())
    (party,) = services.of(PartyNotified)
    assert (party.result, state.consent.allows(party.leg), state.recording) == ("failed", False, None)
    assert state.ending is not None
    assert state.ending.outcome == "answered"


# What goes wrong costs the recording, and not the call.


@pytest.mark.looptime
@pytest.mark.parametrize(
    "line_settings",
    [{"unplayable": frozenset({"recording-announcement"})}, {"breaks_on": "recording-announcement"}],
)
async def test_without_its_announcement_heard_the_call_goes_on_unrecorded_and_says_so(
    line_settings: dict[str, Any],
) -> None:
    line, services = line_of(**line_settings), desk_of()
    state = await attend(line, services)
    notice = notice_in(services)
    assert (notice.result, notice.why) == ("failed", "the announcement was not heard to its end")
    assert given(line) is None
    assert state.ending is not None
    assert state.ending.outcome == "answered"


@pytest.mark.looptime
async def test_an_announcement_that_is_missing_was_not_heard() -> None:
    line, services = line_of(), without_prompt(desk_of(), "recording-announcement")
    await attend(line, services)
    assert notice_in(services).result == "failed"
    assert (line.heard[0], given(line)) == ("ringing", None)


@pytest.mark.looptime
async def test_where_there_is_no_room_no_caller_hears_that_they_are_recorded() -> None:
    line, services = line_of(), desk_of(full="1.5 GB are free")
    await attend(line, services)
    assert line.heard[0] == "ringing"
    notice = notice_in(services)
    assert (notice.result, notice.why, notice.policy) == ("skipped", "1.5 GB are free", "announce")
    assert given(line) is None


# After an engine that did not live to see it.


@pytest.mark.looptime
async def test_who_has_heard_the_announcement_does_not_hear_it_from_the_next_engine() -> None:
    line, services = line_of(), desk_of()
    await leave_after(SECONDS + 1, line, services)
    await take_over(line, services)
    assert line.heard == [f"{OFFICE} hears recording-announcement", *TALKING]
    assert len(services.of(CallerNotified)) == 1


@pytest.mark.looptime
async def test_who_had_begun_to_hear_it_hears_it_whole_from_the_next_engine() -> None:
    line, services = line_of(), desk_of()
    await leave_after(SECONDS - 1, line, services)
    await take_over(line, services)
    assert line.heard[:2] == ["recording-announcement", "ringing"]
    assert notice_in(services).began == after(SECONDS - 1)


@pytest.mark.looptime
async def test_who_has_refused_is_not_asked_by_the_next_engine() -> None:
    line, services = line_of(presses=[(4, "1")]), desk_of("opt_out", [*ROUTE, {"ring": COLLEAGUE}])
    line.destinations = {OFFICE: Says(Outcome.BUSY, 5), COLLEAGUE: Answers()}
    await leave_after(6, line, services)
    await take_over(line, services)
    assert line.heard[0] == "ringing"
    assert [connect.recorder for connect in line.handed_over] == [None, None]


# Keys.


async def test_a_flood_of_keys_is_not_kept() -> None:
    keys = Keys()
    for tenth in range(2000):
        for _ in range(20):
            keys.press(Key("5", START + timedelta(seconds=tenth / 10)))
    kept = [await keys.next() for _ in range(MOST_WAITING)]
    assert kept[10].at - kept[0].at >= timedelta(seconds=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(keys.next(), 0)


def test_no_log_can_show_a_key() -> None:
    assert "7" not in repr(Key("7", START))
