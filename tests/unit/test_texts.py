"""What is said to owners, in five languages."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dialplan.names import LANGUAGES
from dialplan.result import Result
from mailer.wording import caller_number, full_instant, length, local_number, phrases, short_instant

BRUSSELS = ZoneInfo("Europe/Brussels")
AFTERNOON = datetime(2026, 11, 24, 13, 5, 7, tzinfo=UTC).astimezone(BRUSSELS)


def placeholders(text: object) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", str(text)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_phrase_with_the_same_gaps(language: str) -> None:
    english, own = phrases("en"), phrases(language)
    assert list(own) == list(english)
    assert {key: placeholders(own[key]) for key in own} == {key: placeholders(english[key]) for key in own}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_end_of_a_call_without_a_message_has_its_reason(language: str) -> None:
    assert set(phrases(language)["reasons"]) == {result.value for result in Result if result != "answered"}


def test_no_language_was_forgotten_in_the_middle_of_a_translation() -> None:
    for key in phrases("en"):
        texts = [phrases(language)[key] for language in LANGUAGES]
        if key not in ("number", "footer"):
            assert len({str(text) for text in texts}) >= 4, key


@pytest.mark.parametrize(
    ("number", "local"),
    [
        ("+3280012345", "0800 12 345"),
        ("+3270012345", "070 01 23 45"),
        ("+31900929200", "0900 929200"),
        ("+34905400123", "905 40 01 23"),
        ("+33800123456", "0 800 12 34 56"),
        ("+448001111", "0800 1111"),
        ("+80012345678", "+800 1234 5678"),
    ],
)
def test_a_service_number_is_written_as_its_country_does(number: str, local: str) -> None:
    assert local_number(number) == local


@pytest.mark.parametrize(
    ("caller", "shown", "link"),
    [
        ("+32470111222", "+32 470 11 12 22", "tel:+32470111222"),
        ("0470111222", "+32 470 11 12 22", "tel:+32470111222"),
        ("0032470111222", "+32 470 11 12 22", "tel:+32470111222"),
        ("32470111222", "+32 470 11 12 22", "tel:+32470111222"),
        ("33612345678", "33612345678", "tel:33612345678"),
        ("112", "112", "tel:112"),
        ("1", "1", "tel:1"),
        ("+999999999999999", "+999999999999999", "tel:+999999999999999"),
    ],
)
def test_a_caller_is_shown_as_the_number_he_can_be_called_back_at(caller: str, shown: str, link: str) -> None:
    assert caller_number(caller, "+3280012345") == (shown, link)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("nl", "24 nov 14:05"),
        ("fr", "24 nov. 14:05"),
        ("de", "24. Nov. 14:05"),
        ("es", "24 nov 14:05"),
        ("en", "24 Nov 14:05"),
    ],
)
def test_an_instant_is_said_in_the_owners_language(language: str, said: str) -> None:
    assert short_instant(AFTERNOON, language) == said


def test_of_two_half_past_twos_in_one_night_the_zone_tells_which() -> None:
    both = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC).astimezone(BRUSSELS) for hour in (0, 1)]
    assert [full_instant(local, "nl") for local in both] == [
        "zondag 25 oktober 2026, 02:30 (Midden-Europese zomertijd, UTC+02:00)",
        "zondag 25 oktober 2026, 02:30 (Midden-Europese standaardtijd, UTC+01:00)",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.3, "0:01"), (6.2, "0:06"), (59.6, "1:00"), (67.2, "1:07"), (3600, "60:00")]
)
def test_a_length_is_minutes_and_seconds(seconds: float, said: str) -> None:
    assert length(seconds) == said
