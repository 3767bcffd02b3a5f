"""Recording a conversation: what the caller hears before it, what the journal is told, what keys do to it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
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
from engine.call import Agreement, Call
from engine.handle import handle, resume
from engine.line import Key, Party
from engine.notice import Announcement, Informed, Notice, Refusal
from engine.recording import LONGEST_PAUSE_SECONDS, Codes
from journal.entries import Entry
from journal.state import fold
from tests.unit.fakes import START, Answers, FakeDesk, FakeLeg, FakeLine, Says
from tests.unit.folders import NUMBER, good_folder, write_prompt
from tests.unit.routes import Raw, service_number

OFFICE, COLLEAGUE = "+3221112233", "+3221112244"
ROUTE: list[Raw] = [{"ring": OFFICE}]
AUDIO = "0199-call-rec1"
SECONDS = 3.0
RINGS = 2  # seconds
TALK = SECONDS + RINGS + SECONDS  # begins, when caller and destination have heard it
CALLER, DESTINATION = Party.CALLER, Party.DESTINATION


def prompt(name: str) -> Prompt:
    return Prompt(name, Path(f"{name}.wav"), SECONDS, f"sha256 of {name}")


def desk_of(
    record: str = "announce", route: list[Raw] = ROUTE, *, full: str | None = None, **settings: Any
) -> FakeDesk:
    owner = Owner.model_validate({"name": "ACME", "language": "nl", **settings})
    return FakeDesk(Agreement(service_number(route, record=record), owner, prompt), full=full)


def line_of(talks: float = 60, leaves: float | None = None, **settings: Any) -> FakeLine:
    return FakeLine({OFFICE: Answers(after=RINGS, talks=talks, leaves=leaves)}, **settings)


def of_kind(desk: FakeDesk, *kinds: str) -> list[Entry]:
    return [entry for entry in desk.entries if entry["kind"] in kinds]


def of_recording(desk: FakeDesk) -> list[str]:
    return [entry["kind"] for entry in desk.entries if entry["kind"].startswith("rec_")]


def after(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


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
    assert isinstance(asked.heard(START, START, pressed=True), Refusal)
    assert isinstance(heard := asked.heard(START, START, pressed=False), Notice)
    assert Notice.recalled(heard.as_json()) == heard


# What the caller hears, and what is recorded.


@pytest.mark.looptime
async def test_the_caller_hears_it_before_anything_rings_and_the_destination_before_they_talk() -> None:
    line, desk = line_of(), desk_of(keep_recordings="2 weeks", recordings="opus")
    await handle(line, desk)
    assert line.heard == [
        "recording-announcement",
        "ringing",
        f"{OFFICE} hears recording-announcement",
        "answered",
        f"talking to {OFFICE}",
        f"recording as {AUDIO}",
        "let go",
        "hung up: answered",
    ]
    (notice,) = of_kind(desk, "notice")
    assert {key: notice[key] for key in ("result", "policy", "announcement", "sha256", "language")} == {
        "result": "heard",
        "policy": "announce",
        "announcement": "recording-announcement",
        "sha256": "sha256 of recording-announcement",
        "language": "nl",
    }
    assert (notice["began"], notice["ended"], notice["answer"]) == (after(0), after(SECONDS), "")
    begun, ended = of_kind(desk, "rec_start", "rec_end")
    assert (begun["audio"], begun["keep_seconds"], begun["format"]) == (AUDIO, 14 * 86400, "opus")
    assert (ended["audio"], ended["at"]) == (AUDIO, after(TALK + 60))
    assert desk.entries[-1]["kind"] == "call_end"


@pytest.mark.looptime
async def test_where_nothing_is_recorded_nothing_is_announced() -> None:
    line, desk = line_of(), desk_of("off")
    await handle(line, desk)
    assert line.heard[:2] == ["ringing", "answered"]
    assert of_kind(desk, "notice", "informed", "rec_start") == []


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("policy", "presses", "result", "asked_for"),
    [
        ("opt_in", [], "refused", SECONDS + 5),
        ("opt_in", [(4, CALLER, "1")], "heard", 4),
        ("opt_in", [(4, CALLER, "2")], "refused", SECONDS + 5),
        ("opt_in", [(4, DESTINATION, "1")], "refused", SECONDS + 5),
        ("opt_in", [(SECONDS + 5.5, CALLER, "1")], "refused", SECONDS + 5),
        ("opt_out", [], "heard", SECONDS + 5),
        ("opt_out", [(4, CALLER, "31")], "refused", 4),
    ],
)
async def test_the_caller_is_recorded_as_he_answers(
    policy: str, presses: list[tuple[float, Party, str]], result: str, asked_for: float
) -> None:
    line, desk = line_of(presses=presses), desk_of(policy)
    await handle(line, desk)
    (notice,) = of_kind(desk, "notice")
    assert notice["result"] == result
    assert of_kind(desk, "leg_start")[0]["at"] == after(asked_for)
    assert (f"recording as {AUDIO}" in line.heard) is (result == "heard")
    assert of_recording(desk) == (["rec_start", "rec_end"] if result == "heard" else [])


@pytest.mark.looptime
async def test_a_key_pressed_during_the_announcement_is_taken_after_it() -> None:
    line, desk = line_of(presses=[(1, CALLER, "1")]), desk_of("opt_in")
    await handle(line, desk)
    assert of_kind(desk, "leg_start")[0]["at"] == after(SECONDS)
    assert of_recording(desk) == ["rec_start", "rec_end"]


@pytest.mark.looptime
async def test_it_is_announced_once_however_many_telephones_ring() -> None:
    does: dict[str, Answers | Says] = {OFFICE: Says(Outcome.BUSY), COLLEAGUE: Answers()}
    line, desk = FakeLine(does), desk_of(route=[{"ring": OFFICE}, {"ring": COLLEAGUE}])
    await handle(line, desk)
    assert line.heard.count("recording-announcement") == 1
    assert of_recording(desk) == ["rec_start", "rec_end"]


@pytest.mark.looptime
async def test_who_hangs_up_in_the_announcement_is_not_recorded() -> None:
    line, desk = line_of(hangs_up_after=1), desk_of()
    await handle(line, desk)
    assert [entry["kind"] for entry in desk.entries] == ["call_start", "call_end"]
    assert desk.entries[-1]["outcome"] == "abandoned"


# Who joins the caller.


@pytest.mark.looptime
async def test_who_has_answered_hears_it_alone_and_the_caller_pays_nothing_for_it() -> None:
    line, desk = line_of(), desk_of(recording_notice="ours")
    await handle(line, desk)
    (informed,) = of_kind(desk, "informed")
    (leg,) = of_kind(desk, "leg_answer")
    assert (leg["at"], informed["began"], informed["ended"]) == (after(5), after(5), after(TALK))
    assert (informed["leg"], informed["result"], informed["announcement"]) == (leg["leg"], "heard", "ours")
    assert of_kind(desk, "answered")[0]["at"] == after(TALK)
    record = fold(desk.entries)
    assert record is not None
    assert (record.ring, record.talk) == (timedelta(seconds=5), timedelta(seconds=60))


@pytest.mark.looptime
@pytest.mark.parametrize(("policy", "presses"), [("opt_in", [(4, CALLER, "1")]), ("opt_out", [])])
async def test_who_has_answered_is_told_and_not_asked(
    policy: str, presses: list[tuple[float, Party, str]]
) -> None:
    line, desk = line_of(presses=presses), desk_of(policy, recording_notice="ours")
    await handle(line, desk)
    assert [words for words in line.heard if words == "ours" or "hears" in words] == [
        "ours",
        f"{OFFICE} hears recording-announcement",
    ]
    (informed,) = of_kind(desk, "informed")
    assert (informed["policy"], informed["answer"]) == ("announce", "")


@pytest.mark.looptime
async def test_of_a_call_that_is_not_recorded_who_answers_hears_nothing() -> None:
    line, desk = line_of(presses=[(4, CALLER, "1")]), desk_of("opt_out")
    await handle(line, desk)
    assert not [words for words in line.heard if "hears" in words]
    assert of_kind(desk, "informed") == []


@pytest.mark.looptime
async def test_who_has_agreed_once_and_for_all_hears_nothing() -> None:
    line, desk = line_of(), desk_of(destinations_know="true")
    await handle(line, desk)
    assert f"{OFFICE} hears recording-announcement" not in line.heard
    (informed,) = of_kind(desk, "informed")
    assert (informed["result"], informed["leg"]) == ("known", "0199-call-b1")
    assert of_recording(desk) == ["rec_start", "rec_end"]
    assert of_kind(desk, "answered")[0]["at"] == after(SECONDS + RINGS)


@pytest.mark.looptime
async def test_who_leaves_when_he_hears_it_has_not_taken_the_call_and_the_route_goes_on() -> None:
    does: dict[str, Answers | Says] = {OFFICE: Answers(leaves=1), COLLEAGUE: Answers()}
    line, desk = FakeLine(does), desk_of(route=[{"ring": OFFICE}, {"ring": COLLEAGUE}])
    await handle(line, desk)
    assert [step["outcome"] for step in of_kind(desk, "step")] == ["rejected", "taken"]
    (informed,) = of_kind(desk, "informed")
    assert informed["leg"] == "0199-call-b2"
    assert of_kind(desk, "answered")[0]["to"] == COLLEAGUE
    assert of_recording(desk) == ["rec_start", "rec_end"]


@pytest.mark.looptime
async def test_a_caller_who_gives_up_while_the_destination_hears_it_was_never_answered() -> None:
    line, desk = line_of(hangs_up_after=6), desk_of()
    await handle(line, desk)
    assert of_kind(desk, "answered", "informed", "rec_start") == []
    assert (desk.entries[-1]["kind"], desk.entries[-1]["outcome"]) == ("call_end", "abandoned")


@pytest.mark.looptime
async def test_what_the_destination_did_not_hear_to_its_end_leaves_both_unrecorded_and_talking() -> None:
    line = line_of(unplayable_to_destinations=frozenset({"recording-announcement"}))
    desk = desk_of()
    await handle(line, desk)
    (informed,) = of_kind(desk, "informed")
    assert (informed["result"], informed["why"]) == ("failed", "the announcement was not heard to its end")
    assert of_recording(desk) == []
    assert desk.entries[-1]["outcome"] == "answered"


# What goes wrong costs the recording, and not the call.


@pytest.mark.looptime
async def test_without_its_announcement_heard_the_call_goes_on_unrecorded_and_says_so() -> None:
    line, desk = line_of(unplayable=frozenset({"recording-announcement"})), desk_of()
    await handle(line, desk)
    (notice,) = of_kind(desk, "notice")
    assert (notice["result"], notice["why"]) == ("failed", "the announcement was not heard to its end")
    assert of_recording(desk) == []
    assert desk.entries[-1]["outcome"] == "answered"


@pytest.mark.looptime
async def test_an_error_in_the_announcement_is_a_failed_announcement() -> None:
    line, desk = line_of(breaks_on="recording-announcement"), desk_of()
    await handle(line, desk)
    assert of_kind(desk, "notice")[0]["result"] == "failed"
    assert desk.entries[-1]["outcome"] == "answered"


@pytest.mark.looptime
async def test_where_there_is_no_room_nobody_is_told_that_he_is_recorded() -> None:
    line, desk = line_of(), desk_of(full="1.5 GB are free")
    await handle(line, desk)
    assert line.heard[0] == "ringing"
    (notice,) = of_kind(desk, "notice")
    assert (notice["result"], notice["why"]) == ("skipped", "1.5 GB are free")
    assert of_recording(desk) == []


@pytest.mark.looptime
async def test_a_recording_that_cannot_begin_does_not_end_the_conversation() -> None:
    line, desk = line_of(unrecordable=True), desk_of()
    await handle(line, desk)
    assert of_recording(desk) == ["rec_start", "rec_stop", "rec_end"]
    assert of_kind(desk, "rec_stop")[0]["how"] == "failed"
    assert (desk.entries[-1]["outcome"], desk.entries[-1]["at"]) == ("answered", after(TALK + 60))


@pytest.mark.looptime
async def test_a_recording_that_ends_by_itself_does_not_end_the_conversation() -> None:
    line, desk = line_of(deaf_after=10), desk_of()
    await handle(line, desk)
    assert of_kind(desk, "rec_end")[0]["at"] == after(TALK + 10)
    assert desk.entries[-1]["at"] == after(TALK + 60)


# Keys.


@pytest.mark.looptime
async def test_the_destination_pauses_and_resumes() -> None:
    line, desk = line_of(presses=[(10, DESTINATION, "*1"), (20, DESTINATION, "*1")]), desk_of()
    await handle(line, desk)
    assert of_recording(desk) == ["rec_start", "rec_pause", "rec_resume", "rec_end"]
    paused, resumed = of_kind(desk, "rec_pause", "rec_resume")
    assert (paused["at"], resumed["at"], resumed["how"]) == (after(10), after(20), "key")
    assert [word for word in line.heard if word in ("muted", "unmuted")] == ["muted", "unmuted"]


@pytest.mark.looptime
async def test_a_pause_that_is_forgotten_ends_by_itself() -> None:
    line, desk = line_of(talks=300, presses=[(10, DESTINATION, "*1"), (90, CALLER, "5")]), desk_of()
    await handle(line, desk)
    (resumed,) = of_kind(desk, "rec_resume")
    assert (resumed["at"], resumed["how"]) == (after(10 + LONGEST_PAUSE_SECONDS), "auto")


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("may", "by", "stopped"), [("true", CALLER, True), ("false", CALLER, False), ("true", DESTINATION, False)]
)
async def test_the_caller_stops_it_for_good_where_the_owner_lets_him(
    may: str, by: Party, stopped: bool
) -> None:
    line = line_of(presses=[(20, by, "*9"), (30, DESTINATION, "*1"), (35, DESTINATION, "*1")])
    desk = desk_of(caller_may_stop=may)
    await handle(line, desk)
    if stopped:
        assert of_recording(desk) == ["rec_start", "rec_stop", "rec_end"]
        assert [(it["at"], it.get("how")) for it in of_kind(desk, "rec_stop", "rec_end")] == [
            (after(20), "key"),
            (after(20), None),
        ]
    else:
        assert of_recording(desk) == ["rec_start", "rec_pause", "rec_resume", "rec_end"]
    assert desk.entries[-1]["at"] == after(TALK + 60)


@pytest.mark.looptime
async def test_the_caller_pauses_nothing() -> None:
    line, desk = line_of(presses=[(10, CALLER, "*1")]), desk_of()
    await handle(line, desk)
    assert of_recording(desk) == ["rec_start", "rec_end"]


def test_a_code_is_a_star_and_a_digit_of_the_same_hand_soon_after() -> None:
    def key(by: Party, digit: str, at: float) -> Key:
        return Key(by, digit, START + timedelta(seconds=at))

    codes = Codes()
    assert [codes.code(key(DESTINATION, digit, 0)) for digit in "1*1*"] == ["", "", "*1", ""]
    assert codes.code(key(CALLER, "9", 1)) == ""
    assert codes.code(key(DESTINATION, "1", 6)) == ""


async def test_a_flood_of_keys_is_not_kept() -> None:
    keys = Keys()
    for tenth in range(2000):
        for _ in range(20):
            keys.press(Key(CALLER, "5", START + timedelta(seconds=tenth / 10)))
    kept = [await keys.next() for _ in range(MOST_WAITING)]
    assert kept[10].at - kept[0].at >= timedelta(seconds=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(keys.next(), 0)


def test_no_log_can_show_a_key() -> None:
    assert "7" not in repr(Key(CALLER, "7", START))


# After an engine that did not live to see it.


async def killed_after(seconds: float, line: FakeLine, desk: FakeDesk) -> Call:
    """The call as the next engine finds it, after one that was killed so long after the call came in."""
    work = asyncio.create_task(handle(line, desk))
    await asyncio.sleep(seconds)
    line.detached = True
    work.cancel()
    await asyncio.wait({work})
    line.detached = False
    line.heard.clear()
    return recalled(line, desk)


def recalled(line: FakeLine, desk: FakeDesk) -> Call:
    assert desk.agreement is not None
    call = Call(line, desk.agreement, desk)
    call.remember(tuple(desk.entries))
    return call


def talking(line: FakeLine, seconds: float) -> FakeLeg:
    """The destination that has answered, and hangs up so many seconds from now."""
    return FakeLeg("0199-call-b1", OFFICE, START + timedelta(seconds=5), seconds, line)


@pytest.mark.looptime
async def test_what_an_engine_records_the_next_one_records_on_and_ends() -> None:
    line, desk = line_of(talks=600), desk_of()
    call = await killed_after(30, line, desk)
    assert of_recording(desk) == ["rec_start"]
    await resume(call, [], talking(line, 60))
    assert line.heard[:2] == [f"talking to {OFFICE}", f"recording as {AUDIO}"]
    assert of_recording(desk) == ["rec_start", "rec_end"]
    assert of_kind(desk, "rec_end")[0]["at"] == after(90)


@pytest.mark.looptime
async def test_what_was_paused_is_paused_for_the_next_engine() -> None:
    line, desk = line_of(talks=600, presses=[(20, DESTINATION, "*1")]), desk_of()
    await resume(await killed_after(30, line, desk), [], talking(line, 300))
    assert line.heard[1:3] == [f"recording as {AUDIO}", "unmuted"]
    assert of_kind(desk, "rec_resume")[0]["at"] == after(20 + LONGEST_PAUSE_SECONDS)


@pytest.mark.looptime
async def test_who_has_heard_the_announcement_does_not_hear_it_from_the_next_engine() -> None:
    line, desk = line_of(), desk_of()
    await resume(await killed_after(SECONDS + 1, line, desk), [], None)
    assert line.heard[0] == "ringing"
    assert of_recording(desk) == ["rec_start", "rec_end"]


@pytest.mark.looptime
async def test_who_had_begun_to_hear_it_hears_it_whole_from_the_next_engine() -> None:
    line, desk = line_of(talks=600), desk_of()
    call = await killed_after(SECONDS + RINGS + 1, line, desk)
    await resume(call, [], talking(line, 60))
    assert line.heard[0] == f"{OFFICE} hears recording-announcement"
    assert [it["result"] for it in of_kind(desk, "informed")] == ["heard"]
    assert of_recording(desk) == ["rec_start", "rec_end"]


@pytest.mark.looptime
async def test_who_has_heard_it_does_not_hear_it_again() -> None:
    line, desk = line_of(talks=600), desk_of()
    call = await killed_after(TALK - 0.1, line, desk)
    call.joined_by(Informed("0199-call-b1"))
    await resume(recalled(line, desk), [], talking(line, 60))
    assert line.heard[0] == "answered"
    assert of_recording(desk) == ["rec_start", "rec_end"]


@pytest.mark.looptime
async def test_who_leaves_while_the_next_engine_tells_him_leaves_the_caller_to_the_route() -> None:
    line, desk = line_of(), desk_of()
    call = await killed_after(SECONDS + RINGS + 1, line, desk)
    await resume(call, [], replace(talking(line, 60), leaves=1))
    assert line.heard[1] == "ringing"
    assert desk.entries[-1]["outcome"] == "answered"


@pytest.mark.looptime
async def test_what_was_not_told_to_the_destination_stays_unrecorded_with_the_next_engine() -> None:
    line, desk = line_of(talks=600), desk_of()
    call = await killed_after(SECONDS + RINGS + 1, line, desk)
    call.not_informed("0199-call-b1", "the announcement was not heard to its end")
    await resume(recalled(line, desk), [], talking(line, 60))
    assert line.heard[0] == "answered"
    assert of_recording(desk) == []


@pytest.mark.looptime
async def test_what_the_caller_had_stopped_is_not_begun_again() -> None:
    line, desk = line_of(talks=600, presses=[(20, CALLER, "*9")]), desk_of(caller_may_stop="true")
    await resume(await killed_after(30, line, desk), [], talking(line, 60))
    assert f"recording as {AUDIO}" not in line.heard
    assert of_recording(desk) == ["rec_start", "rec_stop", "rec_end"]
