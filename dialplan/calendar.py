"""The days on which the ordinary hours of a number do not apply: public holidays, and days of its own.

holidays: BE                                a country
holidays: DE-BY                             a region (ISO 3166-2)
holidays: [NL, 2026-12-24, not 2026-04-03]  with an additional day, and without one
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from pydantic import PlainValidator

from dialplan.model import Written
from dialplan.public_holidays import countries, public_holidays, subdivisions_of, translated

OWN_DAY = "a day of its own"


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
    country, dash, subdivision = text.partition("-")
    if country not in countries():
        near = f"; did you mean {upper}?" if (upper := country.upper()[:2]) in countries() else ""
        raise ValueError(
            f"there is no country `{text}`; write its two letters as in ISO 3166, such as BE{near}"
        )
    if dash and subdivision not in (known := subdivisions_of(country)):
        regions = ", ".join(known) or "none"
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
