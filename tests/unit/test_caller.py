"""Caller identity: made once, and a withheld number is nowhere in what is made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.caller import UNKNOWN, WITHHELD, Caller, Presentation, identify

SECRET = "+32470123456"


@pytest.mark.parametrize(
    ("presentation", "privacy"),
    [
        ("prohib_passed_screen", ""),
        ("prohib_not_screened", ""),
        ("prohib", ""),
        ("unavailable", ""),
        ("allowed_passed_screen", "id"),
        ("allowed_not_screened", "user;ID"),
        ("allowed", "none, id"),
        ("allowed", "id;critical"),
        ("allowed", "header"),
        ("allowed", "something-new"),
    ],
)
def test_a_number_that_is_withheld_in_any_way_is_gone(presentation: str, privacy: str) -> None:
    caller = identify(SECRET, presentation, privacy)
    assert caller == WITHHELD
    assert SECRET not in repr(caller)


@pytest.mark.parametrize("number", ["anonymous", "Anonymous", "", "  ", "Restricted", "unavailable"])
def test_a_network_that_names_nobody_withholds(number: str) -> None:
    assert identify(number, "allowed", "") == WITHHELD


@pytest.mark.parametrize("number", ["+32470123456", "0032470123456", "32470123456", "070123456", "112"])
def test_a_number_that_may_be_shown_is_kept_as_it_came(number: str) -> None:
    assert identify(number, "allowed_not_screened", "none") == Caller(Presentation.SHOWN, number)


@pytest.mark.parametrize(
    "number", ["=cmd|'/c calc'", "../../etc", "+32470\r\nBcc: x", "٣٢", "1" * 16, "sip:x", "*31*123"]
)
def test_what_is_no_number_is_an_unknown_caller_not_a_refused_one(number: str) -> None:
    assert identify(number, "allowed", "") == UNKNOWN


@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_any_identity_makes_a_checked_number_or_none(number: str, presentation: str, privacy: str) -> None:
    caller = identify(number, presentation, privacy)
    assert caller.number is None or set(caller.number) <= set("+0123456789")
    assert not (caller.withheld and caller.number)


@given(st.from_regex(r"\+?[0-9]{1,15}", fullmatch=True))
def test_logs_show_no_whole_number(number: str) -> None:
    masked = Caller(Presentation.SHOWN, number).masked
    assert len(number) < 5 or masked != number
    assert len(masked) <= max(len(number), 4)
