"""Consent to a recording: what the caller hears before anything rings, and what recorder a ring is given."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from dialplan.names import LANGUAGES
from dialplan.number import Owner, RecordingPolicy
from dialplan.prompt import RECORDING_PROMPTS
from dialplan.result import Outcome
from engine.ari.keys import MOST_WAITING, Keys
from engine.line import Key
from engine.notice import Acceptance, Announcement, Refusal
from journal.entries import CallerNotified, LegStarted, RecordingEnded, RecordingStarted
from tests.unit.fake_dial import START, Answers, Says
from tests.unit.fake_services import attend
from tests.unit.fakes import FakeLine
from tests.unit.folders import NUMBER, good_folder, write_prompt
from tests.unit.recorded_calls import (
    AUDIO,
    COLLEAGUE,
    OFFICE,
    ROUTE,
    SECONDS,
    TALK,
    after,
    given,
    line_of,
    notice_in,
    prompt,
    services_of,
)
from tests.unit.routes import service_number

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
    line, services = line_of(), services_of(keep_recordings="2 weeks", recordings="opus")
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
    line, services = line_of(), services_of("off")
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
    line, services = line_of(presses=presses), services_of(policy)
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
    line, services = FakeLine(does), services_of(policy, [{"ring": OFFICE}, {"ring": COLLEAGUE}])
    await attend(line, services)
    assert len([words for words in line.heard if words.startswith("recording-")]) == 1
    assert len([connect for connect in line.handed_over if connect.recorder]) == recorders
    assert len(services.of(CallerNotified)) == 1


@pytest.mark.looptime
async def test_a_caller_who_hangs_up_in_the_announcement_is_not_recorded() -> None:
    line, services = line_of(hangs_up_after=1), services_of()
    state = await attend(line, services)
    assert services.kinds == ["CallStarted", "CallerLeft", "CallEnded"]
    assert state.ending is not None
    assert state.ending.outcome == "abandoned"


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
