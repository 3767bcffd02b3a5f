"""`callers`: which callers are treated otherwise, as tables; and the lists of their numbers."""

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cli.commands.explain import command as explain
from config.caller_lists import MOST_SHOWN, read_list
from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from config.versions import Versions
from dialplan.caller import UNKNOWN, WITHHELD, Caller, Presentation
from dialplan.caller_kind import CallerKind, read_word
from dialplan.caller_list import MOST_NUMBERS, CallerList
from dialplan.rehearse import rehearse
from dialplan.result import Result
from engine.call_terms import CallTerms
from journal.entries import CallStarted, Turned
from tests.unit.fake_services import FakeCallServices, attend
from tests.unit.fakes import FakeLine
from tests.unit.folders import NUMBER, good_folder
from tests.unit.routes import Raw, service_number
from tests.unit.stories import terms_of
from tests.unit.test_walk import TUESDAY_10, said

BELGIAN_MOBILE, BELGIAN_FIXED = "+32470123456", "+3225551234"
DUTCH_MOBILE, DUTCH_FIXED, AMERICAN = "+31612345678", "+31201234567", "+12125550123"
LISTS = {"nuisance": CallerList.of([int(BELGIAN_FIXED[1:]), 31201234567])}


def shown(number: str) -> Caller:
    return Caller(Presentation.SHOWN, number)


def fits(kind: str | Raw, caller: Caller) -> bool:
    return CallerKind.model_validate(kind).fits(caller, LISTS)


@pytest.mark.parametrize(
    ("kind", "callers"),
    [
        ("withheld", {"withheld"}),
        ("unknown", {"unknown", "0470123456"}),
        ("+32", {BELGIAN_MOBILE, BELGIAN_FIXED, "32470123456"}),
        ("+3247", {BELGIAN_MOBILE, "32470123456"}),
        (BELGIAN_FIXED, {BELGIAN_FIXED}),
        ("BE", {BELGIAN_MOBILE, BELGIAN_FIXED, "32470123456"}),
        ("NL", {DUTCH_MOBILE, DUTCH_FIXED}),
        ("US", {AMERICAN}),
        ("mobile", {BELGIAN_MOBILE, DUTCH_MOBILE, AMERICAN, "32470123456"}),
        ("fixed", {BELGIAN_FIXED, DUTCH_FIXED, AMERICAN}),
        ("BE mobile", {BELGIAN_MOBILE, "32470123456"}),
        ("NL fixed", {DUTCH_FIXED}),
        ({"list": "nuisance"}, {BELGIAN_FIXED, DUTCH_FIXED}),
        ({"list": "gone"}, set()),
    ],
)
def test_a_kind_of_callers_fits_these_and_no_others(kind: str | Raw, callers: set[str]) -> None:
    numbers = [
        BELGIAN_MOBILE,
        BELGIAN_FIXED,
        DUTCH_MOBILE,
        DUTCH_FIXED,
        AMERICAN,
        "32470123456",
        "0470123456",
    ]
    everybody = {number: shown(number) for number in numbers} | {"withheld": WITHHELD, "unknown": UNKNOWN}
    assert {name for name, caller in everybody.items() if fits(kind, caller)} == callers


@given(st.text("+0123456789", max_size=20), st.sampled_from(["+1", "BE", "mobile", "GB fixed", "unknown"]))
def test_whatever_a_network_sends_as_a_number_is_of_a_kind_or_not(number: str, kind: str) -> None:
    fits(kind, shown(number))


@pytest.mark.parametrize(
    "text", ["", "anybody", "be", "BE 5", "BE mobil", "+", "+0", "32", "+32 4", "^.*$", "XX"]
)
def test_what_is_not_a_kind_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        read_word(text)


GROUPS: list[Raw] = [
    {"who": ["withheld", "unknown"], "block": "reject"},
    {"who": {"list": "nuisance"}, "block": {"message": "closed"}},
    {"who": "NL mobile", "block": "busy"},
    {"who": "NL", "block": {"voicemail": "greeting-nl"}},
    {"who": "US", "block": "voicemail"},
    {"who": "+3247", "then": [{"ring": "+3221112244"}]},
]


@pytest.mark.parametrize(
    ("caller", "path", "result"),
    [
        (WITHHELD, ["the caller is of", "hangup rejected"], "rejected"),
        (UNKNOWN, ["the caller is of", "hangup rejected"], "rejected"),
        (shown(BELGIAN_FIXED), ["the caller is of", "announce closed", "hangup rejected"], "rejected"),
        (shown(DUTCH_MOBILE), ["the caller is of", "hangup busy"], "busy"),
        (shown("+31207654321"), ["the caller is of", "voicemail greeting-nl"], "voicemail"),
        (shown(AMERICAN), ["the caller is of", "voicemail greeting"], "voicemail"),
        (shown(BELGIAN_MOBILE), ["the caller is of", "ring +3221112244"], "answered"),
        (shown("+33123456789"), ["the caller is in none of the groups", "ring +3221112233"], "answered"),
    ],
)
def test_the_first_group_that_a_caller_is_in_counts(caller: Caller, path: list[str], result: str) -> None:
    number = service_number([{"callers": GROUPS}, {"ring": "+3221112233"}])
    call = rehearse(number, number.facts(TUESDAY_10, caller, LISTS))
    steps = [said(step if not isinstance(step, tuple) else step[0]) for step in call.path]
    assert (steps, call.result) == (path, Result(result))


def test_steps_of_a_group_have_their_paths() -> None:
    number = service_number([{"callers": GROUPS}])
    call = rehearse(number, number.facts(TUESDAY_10, shown(DUTCH_MOBILE), LISTS))
    assert [step.path for step, _ in call.steps] == [
        ("route", 0, "callers", "groups", 2, "block", 0, "hangup")
    ]


@pytest.mark.parametrize("number", [BELGIAN_MOBILE, DUTCH_FIXED])
def test_no_reason_says_a_callers_number(number: str) -> None:
    kind = CallerKind.model_validate(number)
    assert number[:10] not in str(kind)
    assert str(kind).startswith(number[:6])


@pytest.mark.looptime
async def test_a_live_call_is_treated_by_the_lists_of_its_routing_version() -> None:
    route: list[Raw] = [
        {"callers": [{"who": {"list": "nuisance"}, "block": "busy"}]},
        {"announce": "welcome"},
    ]
    terms = terms_of(route)
    blocked = CallTerms(terms.number, terms.owner, terms.prompt, terms.longest, "d1", LISTS)
    for agreed, heard in ((blocked, ["hung up: busy"]), (terms, ["welcome", "hung up: no_answer"])):
        line, services = FakeLine(), FakeCallServices(agreed)  # the caller is BELGIAN_FIXED
        await attend(line, services)
        assert line.heard == heard
        (turned,) = services.of(Turned)
        (started,) = services.of(CallStarted)
        assert started.caller not in turned.why


# The lists.


def test_a_list_has_a_number_a_line_and_comments() -> None:
    listed, wrong = read_list(
        b"\xef\xbb\xbf# nuisance\r\n+32470123456\r\n\n  \n+3225551234   # since May\n+32470123456"
    )
    assert wrong == []
    assert listed is not None
    assert (len(listed), "32470123456" in listed, "3225551234" in listed) == (2, True, True)
    assert "3247012345" not in listed


def test_wrong_lines_of_a_list_are_counted_and_not_quoted() -> None:
    _, wrong = read_list(b"+32470123456\n" + b"0470123456\n" * 30)
    assert [place.line for place, _ in wrong] == [*range(2, MOST_SHOWN + 3)]
    assert wrong[0][1] == "this line is not a number; write +, country code, number: +3221112233"
    assert wrong[-1][1].endswith("(10 lines have this error, from here on)")
    assert not any("0470" in what for _, what in wrong)


def test_a_list_of_100_000_numbers_is_read_in_under_a_second() -> None:
    data = b"".join(b"+3247%07d  # reported\n" % n for n in range(MOST_NUMBERS))
    began = time.process_time()
    listed, wrong = read_list(data)
    assert time.process_time() - began < 1
    assert listed is not None
    assert (len(listed), wrong) == (MOST_NUMBERS, [])
    assert "32470099999" in listed
    assert "32480000000" not in listed


def test_a_longer_list_is_refused() -> None:
    data = b"".join(b"+3247%07d\n" % n for n in range(MOST_NUMBERS + 1))
    assert read_list(data)[1][0][1] == "more than 100,000 numbers; split it into several lists"


BLOCKED = NUMBER.replace("route:\n", "route:\n  - callers: [{who: {list: nuisance}, block: busy}]\n")


def folder_with_list(folder: Path, text: str = "+3225551234\n") -> Path:
    """A good folder whose route begins with a list."""
    good_folder(folder)
    (folder / "numbers" / "main.yaml").write_text(BLOCKED)
    (folder / "callers").mkdir()
    (folder / "callers" / "nuisance.txt").write_text(text)
    return folder


def test_a_list_is_part_of_the_routing_and_of_its_digest(tmp_path: Path) -> None:
    one = load(folder_with_list(tmp_path / "one"), Policy())
    other = load(folder_with_list(tmp_path / "other", "+3225551235\n"), Policy())
    listed = one.lists["nuisance"]
    assert isinstance(listed, CallerList)
    assert "3225551234" in listed
    assert one.digest != other.digest


def test_a_kept_version_has_its_lists(tmp_path: Path) -> None:
    folder, versions = folder_with_list(tmp_path / "routing"), Versions(tmp_path / "versions")
    digest = load(folder, Policy()).digest
    versions.store(folder, digest)
    (folder / "callers" / "nuisance.txt").unlink()
    listed = versions.read(digest).lists["nuisance"]
    assert isinstance(listed, CallerList)
    assert "3225551234" in listed


def test_two_lists_of_one_name_are_refused(tmp_path: Path) -> None:
    folder = folder_with_list(tmp_path)
    (folder / "callers" / "more").mkdir()
    (folder / "callers" / "more" / "nuisance.txt").write_text("+3225551235\n")
    with pytest.raises(ConfigErrors, match="this list is also in"):
        load(folder, Policy())


@pytest.mark.parametrize(
    ("caller", "why", "result"),
    [
        ("+3225551234", "the caller is of: list nuisance", "busy"),
        ("withheld", "the caller is in none of the groups", "answered"),
    ],
)
def test_explain_says_which_group_a_caller_is_in(tmp_path: Path, caller: str, why: str, result: str) -> None:
    folder = folder_with_list(tmp_path)
    options = ["--from", caller, "--format", "json"]
    printed = json.loads(CliRunner().invoke(explain, [str(folder), "+3270012345", *options]).output)
    assert printed["path"][0] == {"kind": "turn", "step": "callers", "why": why}
    assert printed["result"] == result


def test_expect_tells_callers_apart(tmp_path: Path) -> None:
    folder = folder_with_list(tmp_path)
    expect = "expect:\n  - {at: 2026-11-24 10:00, from: +3225551234, ends: busy}\n"
    (folder / "numbers" / "main.yaml").write_text(BLOCKED + expect)
    assert load(folder, Policy()).lists
    (folder / "callers" / "nuisance.txt").write_text("+3225559999\n")
    with pytest.raises(ConfigErrors, match="expected busy, got answered"):
        load(folder, Policy())
