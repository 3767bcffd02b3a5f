"""The days on which the ordinary hours of a number do not apply: public holidays, and days of its own.

holidays: BE                                a country
holidays: DE-BY                             a region (ISO 3166-2)
holidays: [NL, 2026-12-24, not 2026-04-03]  with an additional day, and without one
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Annotated

import holidays
from pydantic import PlainValidator

from dialplan.model import Written

OWN_DAY = "a day of its own"
ENGLISH = "en_US"
# A country whose holidays have names in this language.
SPEAKERS: Mapping[str, str] = {"nl": "BE", "fr": "BE", "de": "BE", "es": "ES"}
NATIONAL = "National Day"  # each country has its own


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which dates are holidays. `regions` as `BE` or `DE-BY`; `kept` and `dropped` override them."""

    regions: tuple[str, ...] = ()
    kept: frozenset[date] = frozenset()
    dropped: frozenset[date] = frozenset()

    def name(self, day: date) -> str | None:
        """Return the name of the holiday on this date, in its country's language; None on other days."""
        if day in self.dropped:
            return None
        names = (public_holidays(region, day.year).get(day) for region in self.regions)
        return next(filter(None, names), OWN_DAY if day in self.kept else None)

    def name_in(self, language: str, name: str, year: int) -> str:
        """Return the name of a holiday of that year or the one before in this language; itself if unknown."""
        for region in self.regions:
            for day in (
                day
                for some in (year, year - 1)
                for day, it in public_holidays(region, some).items()
                if it == name
            ):
                return translated(region, day, language) or name
        return name


@cache
def public_holidays(region: str, year: int, language: str | None = None) -> Mapping[date, str]:
    """Return the holidays of one region in one year. Cached: the first call takes up to 200 ms.

    `language`: one that the region's holidays have names in; its own if there is none.
    """
    country, _, subdivision = region.partition("-")
    found = holidays.country_holidays(country, subdivision or None, years=year, language=language)
    return dict(found)


def translated(region: str, day: date, language: str) -> str | None:
    """Return the name of this region's holiday in a language, else in English; None if neither is known."""
    known = languages_of(region)
    locale = ENGLISH if language == "en" else language
    if locale in known:
        return public_holidays(region, day.year, locale).get(day)
    english = public_holidays(region, day.year, ENGLISH).get(day) if ENGLISH in known else None
    return names_from_english(language, day.year).get(english or "", english)


def languages_of(region: str) -> Sequence[str]:
    return holidays.list_localized_countries().get(region.partition("-")[0], ())


@cache
def names_from_english(language: str, year: int) -> Mapping[str, str]:
    """Return the names of holidays that many countries have, in this language, by their English ones."""
    country = SPEAKERS.get(language)
    if country is None:
        return {}
    own = public_holidays(country, year, language)
    english = public_holidays(country, year, ENGLISH)
    return {name: own[day] for day, name in english.items() if name != NATIONAL}


def read_calendar(written: object) -> Calendar:
    """Parse a region or date, or a list of them. Raises ValueError with the remedy."""
    words = [written] if isinstance(written, str) else written
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("write a country, or a list of countries and dates: [BE, 2026-12-24]")
    return Calendar(
        regions=tuple(check_region(word) for word in words if not re.search("[0-9]{4}", word)),
        kept=frozenset(_dates(words, r"(\d{4}-\d\d-\d\d)")),
        dropped=frozenset(_dates(words, r"not\s+(\d{4}-\d\d-\d\d)")),
    )


def check_region(text: str) -> str:
    """Return the country or region itself, if its holidays are known."""
    known = holidays.list_supported_countries()
    country, dash, subdivision = text.partition("-")
    if len(country) != 2 or country not in known:
        near = f"; did you mean {upper}?" if (upper := country.upper()[:2]) in known else ""
        raise ValueError(
            f"there is no country `{text}`; write its two letters as in ISO 3166, such as BE{near}"
        )
    if dash and subdivision not in known[country]:
        regions = ", ".join(known[country]) or "none"
        raise ValueError(f"`{subdivision}` is not a region of {country}; its regions are: {regions}")
    return text


def _dates(words: Iterable[str], pattern: str) -> Iterable[date]:
    for word in words:
        if match := re.fullmatch(pattern, word, re.ASCII):
            yield _date(match[1])
        elif re.search("[0-9]{4}", word) and not re.fullmatch(r"(not\s+)?\d{4}-\d\d-\d\d", word, re.ASCII):
            raise ValueError(f"`{word}` is not a date; write year, month and day: 2026-12-24")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"there is no day {text} in the calendar") from error


_DAY_OR_REGION = {
    "type": "string",
    "pattern": "^([A-Z]{2}(-[A-Z0-9]{1,3})?|(not +)?[0-9]{4}-[0-9]{2}-[0-9]{2})$",
}
Holidays = Annotated[
    Calendar,
    PlainValidator(read_calendar),
    Written(
        description="a country or region, or a list of these and of dates",
        anyOf=[_DAY_OR_REGION, {"type": "array", "items": _DAY_OR_REGION}],
    ),
]
