"""Country and prefix of a number, as its number plan has them."""

import pytest

from dialplan.anonymous import country_and_prefix


@pytest.mark.parametrize(
    ("number", "left"),
    [
        ("+32470123456", "+32470"),
        ("+3221112233", "+322"),
        ("+31612345678", "+316"),
        ("+4930123456", "+4930"),
        ("+15551234567", "+1555"),
        ("32470123456", "32470"),
        ("0032470123456", "0032470"),
        ("0470123456", "0470"),
        ("12345", "1"),
        ("1234", ""),
        ("", ""),
    ],
)
def test_the_digits_that_name_a_person_are_left_out(number: str, left: str) -> None:
    assert country_and_prefix(number) == left


def test_at_least_four_digits_are_left_out() -> None:
    for country in range(1, 1000):
        for rest in ("1", "12345", "123456789"):
            number = f"+{country}{rest}"
            assert len(country_and_prefix(number)) <= max(len(number) - 4, 0)
