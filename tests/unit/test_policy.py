"""Where calls may be sent."""

import pytest

from config.countries import EUROPE
from config.policy import Policy
from config.settings import Destinations

POLICY = Policy()


@pytest.mark.parametrize(
    "number",
    [
        "+3221112233",
        "+32470111222",
        "+3278123456",  # BE 078: an ordinary price
        "+31201234567",
        "+31850012345",
        "+31880123456",
        "+33123456789",
        "+34911234567",
        "+4930123456",
        "+442079460000",
        "+352621123456",
        "+41441234567",
        "+3280012345",  # freephone costs nobody who rings it
    ],
)
def test_ordinary_numbers_of_allowed_countries_may_be_rung(number: str) -> None:
    assert POLICY.objection(number) is None


@pytest.mark.parametrize(
    "number",
    [
        *("+3290012345", "+3290912345", "+3270123456", "+3270012345"),
        *("+319001234", "+3190012345", "+31909123456"),
        *("+34803123456", "+34905123456", "+34907123456", "+34902123456"),
        *("+33899123456", "+33826123456"),
        *("+499001123456", "+491371123456", "+49180512345", "+491981234"),
        *("+439001234567", "+43710123456", "+41900123456", "+351760123456", "+39892123456", "+39893123456"),
        *("+449012345678", "+447012345678", "+448712345678"),
        *("+881612345678", "+882161234567", "+883510012345", "+870771234567", "+979123456789"),
    ],
)
def test_numbers_that_somebody_earns_on_may_not(number: str) -> None:
    assert "premium or shared-cost" in str(POLICY.objection(number))


@pytest.mark.parametrize("number", ["+32112000", "+32116117", "+49116117"])
def test_short_numbers_may_not(number: str) -> None:
    assert POLICY.objection(number)


@pytest.mark.parametrize("number", ["+12025550123", "+79161234567", "+5351234567", "+8613912345678"])
def test_other_countries_may_not_unless_they_are_allowed(number: str) -> None:
    assert "if that is meant, allow it in the settings" in str(POLICY.objection(number))


def test_a_country_may_be_allowed() -> None:
    assert Policy(EUROPE | {"US"}).objection("+12025550123") is None
    assert Policy(frozenset({"NL"})).objection("+3221112233") is not None


def test_a_number_too_short_or_too_long_for_its_country_is_a_slip() -> None:
    assert "check it digit by digit" in str(POLICY.objection("+322111223"))
    assert "check it digit by digit" in str(POLICY.objection("+322111223344"))


def test_the_settings_allow_the_same_countries_when_nothing_is_written() -> None:
    assert Destinations().countries == EUROPE
