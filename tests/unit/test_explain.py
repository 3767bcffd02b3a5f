"""`callengine explain`: the path of a call, and why."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import config
from cli.commands.explain import command
from dialplan.result import Result as CallResult
from engine.causes import HANG_UPS, Cause
from tests.unit.folders import NUMBER, good_folder

DENTIST = Path(config.__file__).parent / "samples" / "dentist"
# What Asterisk answers an unanswered caller for each cause (measured).
MEASURED = {
    Cause.BUSY: 486,
    Cause.NO_ANSWER: 480,
    Cause.REJECTED: 403,
    Cause.CONGESTION: 503,
    Cause.NETWORK_OUT_OF_ORDER: 500,
}


def explain(*options: str, folder: Path = DENTIST, number: str = "+3270012345") -> Result:
    return CliRunner().invoke(command, [str(folder), number, *options])


def path(*options: str) -> list[tuple[str, str]]:
    """The steps and turns, each with its outcome or the first word of its reason."""
    told: dict[str, Any] = json.loads(explain("--format", "json", *options).output)
    return [(step["step"], step.get("outcome") or step["why"].partition(":")[0]) for step in told["path"]]


def test_a_call_is_told_step_by_step() -> None:
    done = explain("--at", "2026-11-24 10:00", "--outcome", "busy")
    assert done.exit_code == 0
    assert (
        done.output
        == """\
+3270012345 of acme (ACME Tandartsen)
called by a caller whose number is unknown on Tue 2026-11-24 10:00 CET, Europe/Brussels
recorded (announce): caller and destination hear recording-announcement; kept for 30 days

  1  announce  welcome -> done
  2  hours     open: tue 10:00 is in mon-fri 09:00-12:30
  3  ring      +32470111222, +3221112233 for 20 s -> busy
  4  announce  all-busy -> done
  5  hangup    busy

busy: the caller's network is answered SIP 486
"""
    )


@pytest.mark.parametrize(
    ("record", "more", "told"),
    [
        ("off", "", ""),
        ("opt_in", "", "(opt_in): the caller hears recording-opt-in, the destination recording-announcement"),
        (
            "announce",
            "destinations_know: true\n",
            "(announce): the caller hears recording-announcement, the dest",
        ),
        (
            "opt_out",
            "keep_recordings: 12 hours\n",
            "the destination recording-announcement; kept for 12 hours",
        ),
    ],
)
def test_who_hears_of_a_recording_is_told(tmp_path: Path, record: str, more: str, told: str) -> None:
    good_folder(tmp_path)
    owner, number = tmp_path / "owners" / "acme.yaml", tmp_path / "numbers" / "main.yaml"
    owner.write_text(f"name: ACME\nlanguage: nl\n{more}")
    number.write_text(NUMBER.replace("route:", f"record: {record}\nroute:", 1))
    said = explain(folder=tmp_path, number="+3270012345").output
    assert told in said
    assert ("recorded" in said) is (record != "off")


def test_a_message_is_told_with_its_greeting_and_its_length() -> None:
    told = explain("--at", "2026-11-24 10:00", "--outcome", "no_answer").output
    assert "voicemail nobody-there, a message of at most 120 s -> done" in told
    assert "voicemail: the caller's network is answered SIP 200" in told


def test_music_instead_of_ringing_is_told(tmp_path: Path) -> None:
    number = good_folder(tmp_path) / "numbers" / "main.yaml"
    number.write_text(NUMBER.replace("ring: +3221112233", "ring: {to: +3221112233, music: welcome}"))
    said = explain(folder=tmp_path, number="+3270012345").output
    assert "ring      +3221112233 for 25 s, with welcome instead of ringing -> taken" in said


def test_the_reason_of_a_closed_day_is_told() -> None:
    told = explain("--at", "2026-12-25 10:00").output
    assert "2  hours     holiday: Kerstmis; opens mon 2026-12-28 09:00" in told
    assert "closed: the caller's network is answered SIP 480" in told


@pytest.mark.parametrize(
    "at",
    ["2026-07-15 10:00", "2026-07-15T08:00+00:00", "2026-07-15T08:00:00Z", "2026-07-15T04:00-04:00"],
)
def test_a_time_is_the_numbers_own_unless_it_has_a_zone(at: str) -> None:
    assert "Wed 2026-07-15 10:00 CEST" in explain("--at", at).output


def test_the_same_is_told_to_programs_in_the_journals_words() -> None:
    told = json.loads(explain("--at", "2026-11-24 10:00", "--from", "withheld", "--format", "json").output)
    assert (told["caller"], told["withheld"], told["at"]) == ("", True, "2026-11-24T09:00:00+00:00")
    assert told["path"][1] == {
        "kind": "turn",
        "step": "hours",
        "why": "open: tue 10:00 is in mon-fri 09:00-12:30",
    }
    assert told["path"][2] == {
        "kind": "step",
        "step": "ring",
        "path": ["route", 2, "ring"],
        "outcome": "taken",
        "settings": {
            "to": [
                {
                    "number": to,
                    "present": "caller",
                    "present_if_refused": None,
                    "hours": None,
                    "seconds": None,
                    "delay": None,
                    "percent": None,
                    "label": "",
                    "max_calls": None,
                    "whisper": None,
                    "confirm": False,
                }
                for to in ("+32470111222", "+3221112233")
            ],
            "strategy": "all",
            "remember": None,
            "seconds": 20,
            "music": None,
        },
    }
    assert (told["result"], told["sip"]) == ("answered", 200)


def test_outcomes_are_those_of_the_rings_in_their_order() -> None:
    assert path("--at", "2026-11-24 10:00", "--outcome", "no_answer") == [
        ("announce", "done"),
        ("hours", "open"),
        ("ring", "no_answer"),
        ("voicemail", "done"),
    ]


def test_an_outcome_too_many_is_pointed_out() -> None:
    told = explain("--at", "2026-11-24 10:00", "--outcome", "busy", "--outcome", "taken").output
    assert "not used: --outcome taken; the call rings less often than that" in told


@pytest.mark.parametrize("number", ["003270012345", "3270012345", "070012345"])
def test_a_number_is_found_however_it_is_written(number: str) -> None:
    assert explain(number=number).exit_code == 0


def test_a_number_that_is_not_there_is_told() -> None:
    done = explain(number="+3270012346")
    assert done.exit_code == 1
    assert done.stderr == f"Error: +3270012346 is not a number of {DENTIST}; a call to it is answered 404\n"


def test_a_wrong_folder_is_not_explained(tmp_path: Path) -> None:
    done = explain(folder=tmp_path)
    assert done.exit_code == 1
    assert "this folder is missing" in done.stdout


@pytest.mark.parametrize("option", [("--at", "tomorrow"), ("--from", "me"), ("--outcome", "done")])
def test_an_option_that_means_nothing_is_refused(option: tuple[str, str]) -> None:
    assert explain(*option).exit_code == 2


@pytest.mark.parametrize("result", [it for it in CallResult if HANG_UPS[it].sip >= 400 and it != "abandoned"])
def test_the_sip_answer_shown_is_the_one_that_asterisk_makes_of_the_cause(result: CallResult) -> None:
    assert HANG_UPS[result].sip == MEASURED[HANG_UPS[result].cause]
