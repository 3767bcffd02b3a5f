"""Numbers and owners, as they may be written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dialplan.destination import Destination
from dialplan.model import check_e164
from dialplan.number import Owner, RecordingPolicy, dial_key
from dialplan.period import read_period
from tests.unit.routes import service_number


@pytest.mark.parametrize("dialled", ["+3270012345", "003270012345", "3270012345"])
def test_a_number_is_found_however_the_trunk_spells_it(dialled: str) -> None:
    assert dial_key(dialled) == "3270012345"


def test_a_universal_freephone_number_is_found_too() -> None:
    assert dial_key("0080012345678") == dial_key("+80012345678")


@given(st.text(max_size=20))
def test_any_text_is_refused_or_dialled_exactly_as_it_stands(text: str) -> None:
    try:
        number = Destination.model_validate(text).number
    except ValidationError:
        return
    assert number == text
    assert set(number) <= set("+0123456789")


@pytest.mark.parametrize(
    "text",
    ["800&PJSIP/x", "+3221112233,30", "${EXTEN}", "+32 2 111", "+32٢٢٢٢٢٢٢", "+3221112233\n", "+032111223"],
)
def test_nothing_but_a_number_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="write the number as"):
        check_e164(text)


@pytest.mark.parametrize("dialled", ["112", "110", "999", "+112", "101", "1207", "116117"])
def test_emergency_numbers_are_refused_as_such(dialled: str) -> None:
    with pytest.raises(ValidationError, match="emergency or short number"):
        Destination.model_validate(dialled)


@pytest.mark.parametrize(
    ("written", "period"),
    [
        ("30 days", timedelta(30)),
        ("1 day", timedelta(1)),
        ("12 hours", timedelta(hours=12)),
        ("2 weeks", timedelta(14)),
    ],
)
def test_a_period_is_a_number_and_a_unit(written: str, period: timedelta) -> None:
    assert read_period(written) == period


@pytest.mark.parametrize(
    "written", ["30", "0 days", "forever", "-1 days", "1.5 days", "9999 weeks", "6 months", ["1 day"]]
)
def test_a_period_that_means_nothing_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"write"):
        read_period(written)


@pytest.mark.parametrize("mail", ["a@b.example", "first.last+tag@mail.acme.example"])
def test_an_owner_has_one_address_or_several(mail: str) -> None:
    alone = Owner.model_validate({"name": "ACME", "mail": mail})
    assert alone == Owner.model_validate({"name": "ACME", "mail": [mail]})


@pytest.mark.parametrize(
    "mail",
    [
        "acme",
        "a@b",
        "a b@c.example",
        "a@b.example\nBcc: x@y.example",
        "<a@b.example>",
        "a@b.example, c@d.example",
    ],
)
def test_an_address_that_would_break_a_header_is_refused(mail: str) -> None:
    with pytest.raises(ValidationError, match="is not a mail address"):
        Owner.model_validate({"name": "ACME", "mail": mail})


def test_a_number_with_nothing_written_has_careful_defaults() -> None:
    number = service_number([{"ring": "+3221112233"}])
    assert number.record is RecordingPolicy.OFF
    assert (number.max_minutes, number.fallback, number.expect) == (240, None, ())


def test_what_was_agreed_does_not_change() -> None:
    number = service_number([{"ring": "+3221112233"}])
    with pytest.raises(ValidationError, match="frozen"):
        setattr(number, "max_minutes", 1)  # noqa: B010 - mypy would refuse it, which is the point
