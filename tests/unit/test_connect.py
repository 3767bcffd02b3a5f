"""What [connect] is given, so that each destination is shown what it may see, and what it says afterwards."""

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dialplan.caller import UNKNOWN, WITHHELD, Caller, Presentation
from dialplan.destination import Destination, Present
from dialplan.prompt import Prompt
from engine.ari.connect import as_extension, destination, destinations, shown_to, variables
from engine.ari.operations import Variables
from engine.line import Connect, Recorder

SHOWN = Caller(Presentation.SHOWN, "+4915123456789")
SERVICE_NUMBER, ENDPOINT = "+3280012345", "PJSIP/{number}@trunk"
OFFICE, HOME = "+3221112233", "+32470111222"
CALL = "0199-call"
PROMPT = Prompt("ours", Path("/prompts/nl/ours.wav"), 3.0, "sha")
NOBODY = "f(0)u(prohib)"
MUSIC = Prompt("waiting", Path("/published/5ha256-1.wav"), 60.0, "5ha256")
RECORDER = Recorder("0199-call-rec1", PROMPT, caller_may_stop=False)


def to(number: str, present: Present = Present.CALLER) -> Destination:
    return Destination(number=number, present=present)


def ring(*destinations: Destination) -> Connect:
    return Connect(number=2, to=destinations, seconds=20, limit=3600)


def given_for(connect: Connect, caller: Caller = SHOWN) -> Variables:
    return variables(connect, caller, SERVICE_NUMBER, ENDPOINT)


# What a destination is shown.


@pytest.mark.parametrize("caller", [WITHHELD, UNKNOWN])
def test_a_caller_without_a_number_to_show_is_shown_to_nobody(caller: Caller) -> None:
    assert shown_to(to(OFFICE), caller) is Present.ANONYMOUS


@pytest.mark.parametrize("present", list(Present))
def test_a_caller_with_a_number_is_shown_as_the_destination_wants_it(present: Present) -> None:
    assert shown_to(to(OFFICE, present), SHOWN) is present


@pytest.mark.parametrize(
    ("caller", "present", "option"),
    [
        (SHOWN, Present.CALLER, ""),
        (WITHHELD, Present.CALLER, NOBODY),
        (UNKNOWN, Present.CALLER, NOBODY),
        *[(caller, Present.SERVICE_NUMBER, f"f({SERVICE_NUMBER})") for caller in (SHOWN, WITHHELD, UNKNOWN)],
        *[(caller, Present.ANONYMOUS, NOBODY) for caller in (SHOWN, WITHHELD, UNKNOWN)],
    ],
)
def test_the_legs_of_a_ring_are_told_what_to_show(caller: Caller, present: Present, option: str) -> None:
    values = given_for(ring(to(OFFICE, present), to(HOME, present)), caller)
    assert values["CONNECT_OPTIONS"] == option
    assert not [name for name in values if name.startswith("_")]


def test_where_they_are_shown_different_numbers_each_leg_is_told_for_itself() -> None:
    values = given_for(ring(to(OFFICE, Present.SERVICE_NUMBER), to(HOME)))
    assert values["CONNECT_OPTIONS"] == "b(show^each^1)"
    assert values["_CONNECT_AS"] == SERVICE_NUMBER
    assert values["_CONNECT_SHOW_3221112233"] == "service"
    assert values["_CONNECT_SHOW_32470111222"] == "caller"


def test_a_withheld_caller_is_withheld_from_each_leg_too() -> None:
    values = given_for(ring(to(OFFICE, Present.SERVICE_NUMBER), to(HOME)), WITHHELD)
    assert values["_CONNECT_SHOW_32470111222"] == "nobody"


def test_who_differs_only_in_words_is_not_different() -> None:
    values = given_for(ring(to(OFFICE, Present.ANONYMOUS), to(HOME)), WITHHELD)
    assert values["CONNECT_OPTIONS"] == NOBODY


@pytest.mark.parametrize("spelt", ["+3280012345", "003280012345", "3280012345"])
def test_the_service_number_is_shown_in_one_spelling(spelt: str) -> None:
    shown = variables(ring(to(OFFICE, Present.SERVICE_NUMBER)), SHOWN, spelt, ENDPOINT)
    assert shown["CONNECT_OPTIONS"] == f"f({SERVICE_NUMBER})"


@pytest.mark.parametrize("caller", [SHOWN, WITHHELD, UNKNOWN])
@pytest.mark.parametrize("present", list(Present))
def test_nothing_of_the_caller_is_in_any_variable(caller: Caller, present: Present) -> None:
    """Asterisk has it already; a variable would show it in the log and to every leg."""
    values = given_for(replace(ring(to(OFFICE, present), to(HOME)), recorder=RECORDER), caller)
    assert "4915123456789" not in f"{values}"


# The rest of it.


def test_a_ring_is_dialled_as_the_route_says_it() -> None:
    assert given_for(ring(to(OFFICE), to(HOME))) == {
        "CONNECT_TO": "PJSIP/+3221112233@trunk&PJSIP/+32470111222@trunk",
        "CONNECT_SECONDS": "20",
        "CONNECT_LIMIT": "3600",
        "CONNECT_OPTIONS": "",
        "CONNECT_RING": "2",
    }


def test_a_caller_who_was_answered_before_hears_ringing() -> None:
    assert given_for(replace(ring(to(OFFICE)), answered=True))["CONNECT_OPTIONS"] == "r"


def options(connect: Connect, *music: str) -> str:
    return str(variables(connect, SHOWN, SERVICE_NUMBER, ENDPOINT, music=music)["CONNECT_OPTIONS"])


@pytest.mark.parametrize("answered", [True, False])
def test_a_caller_hears_music_by_the_class_that_is_named_as_its_file(answered: bool) -> None:
    wanted = replace(ring(to(OFFICE)), answered=answered, music=MUSIC)
    assert options(wanted, "another", "5ha256-1") == "m(5ha256-1)"
    assert options(replace(wanted, recorder=RECORDER), "5ha256-1") == "m(5ha256-1)U(recorder^s^1)"


@pytest.mark.parametrize(("answered", "rings"), [(True, "r"), (False, "")])
def test_a_caller_hears_ringing_where_asterisk_does_not_have_the_music(answered: bool, rings: str) -> None:
    with capture_logs() as logs:
        told = options(replace(ring(to(OFFICE)), answered=answered, music=MUSIC), "another")
    assert told == rings
    assert [(entry["event"], entry["prompt"]) for entry in logs] == [("music_missing", "waiting")]


def test_all_variables_are_text() -> None:
    values = given_for(replace(ring(to(OFFICE), to(HOME, Present.ANONYMOUS)), recorder=RECORDER))
    assert {type(value) for value in values.values()} == {str}


def test_a_ring_that_is_not_recorded_has_no_recorder() -> None:
    assert not [name for name in given_for(ring(to(OFFICE))) if name.startswith("_REC")]


@pytest.mark.parametrize("answered", [True, False])
def test_a_recorder_is_an_option_and_its_variables(answered: bool) -> None:
    values = given_for(replace(ring(to(OFFICE)), answered=answered, recorder=RECORDER))
    assert str(values["CONNECT_OPTIONS"]).startswith("rU(" if answered else "U(")
    assert str(values["_REC_FILE"]).endswith("0199-call-rec1")
    assert values["_REC_PROMPT"] == "/prompts/nl/ours"


def test_a_destination_that_knows_hears_no_prompt() -> None:
    values = given_for(replace(ring(to(OFFICE)), recorder=replace(RECORDER, prompt=None)))
    assert values["_REC_PROMPT"] == ""


def test_whether_the_caller_may_stop_it_is_told() -> None:
    may = given_for(replace(ring(to(OFFICE)), recorder=replace(RECORDER, caller_may_stop=True)))
    assert may != given_for(replace(ring(to(OFFICE)), recorder=RECORDER))


# Which destination a leg is for.

SPREAD = "PJSIP/+3221112233@trunk9&PJSIP/+32470111222@trunk0"


@pytest.mark.parametrize(
    ("name", "started", "number"),
    [
        ("PJSIP/trunk9-0000001a", 1, OFFICE),
        ("PJSIP/trunk0-0000001b", 0, HOME),
        ("PJSIP/trunk-0000001a", 0, OFFICE),
        ("PJSIP/trunk-0000001b", 1, HOME),
        ("PJSIP/trunk-0000001c", 2, ""),
    ],
)
def test_a_leg_is_known_by_its_endpoint_or_else_by_its_turn(name: str, started: int, number: str) -> None:
    assert destination(name, destinations(SPREAD), started) == number


def test_legs_of_one_endpoint_are_known_by_their_turn() -> None:
    both = destinations("PJSIP/+3221112233@trunk&PJSIP/+32470111222@trunk")
    assert [destination("PJSIP/trunk-0000001a", both, turn) for turn in (0, 1)] == [OFFICE, HOME]


def test_a_ring_to_nobody_has_no_destinations() -> None:
    assert destinations("") == ()


# The whole of an ordinary ring, as one extension.


def test_an_ordinary_ring_is_one_extension() -> None:
    values = given_for(ring(to(OFFICE)))
    assert as_extension(values) == "2-20-3600--PJSIP/+3221112233@trunk"


def test_so_is_one_that_shows_the_service_number_to_a_caller_who_was_answered() -> None:
    values = given_for(replace(ring(to(OFFICE, Present.SERVICE_NUMBER)), answered=True))
    assert as_extension(values) == "2-20-3600-f(+3280012345)r-PJSIP/+3221112233@trunk"


def test_a_recorder_and_different_presentations_need_variables() -> None:
    assert as_extension(given_for(replace(ring(to(OFFICE)), recorder=RECORDER))) is None
    assert as_extension(given_for(ring(to(OFFICE, Present.ANONYMOUS), to(HOME)))) is None


@pytest.mark.parametrize(("many", "fits"), [(2, True), (3, False)])
def test_an_extension_is_no_longer_than_asterisk_takes(many: int, fits: bool) -> None:
    extension = as_extension(given_for(ring(*[to(OFFICE)] * many)))
    assert (extension is not None) == fits
    assert extension is None or len(extension) < 80
