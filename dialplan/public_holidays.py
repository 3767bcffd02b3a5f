"""The public holidays of countries and regions, by the library `holidays`: one country's module at a time.

The package `holidays.countries` imports all 250 of them (0.25 s) as soon as one is asked for.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from types import ModuleType

import holidays
from holidays.registry import EntityLoader

ENGLISH = "en_US"
# A country whose holidays have names in this language.
SPEAKERS: Mapping[str, str] = {"nl": "BE", "fr": "BE", "de": "BE", "es": "ES"}
NATIONAL = "National Day"  # each country has its own
COUNTRIES = "holidays.countries"


def _one_at_a_time() -> None:
    """Put a package without contents where the one that imports every country would be."""
    if COUNTRIES not in sys.modules:
        package = ModuleType(COUNTRIES)
        package.__path__ = [str(Path(holidays.__file__).with_name("countries"))]
        sys.modules[COUNTRIES] = package


_one_at_a_time()


@cache
def public_holidays(region: str, year: int, language: str | None = None) -> Mapping[date, str]:
    """Return the holidays of one region, `BE` or `DE-BY`, in one year. Cached.

    `language`: one that the region's holidays have names in; its own if there is none.
    """
    country, _, subdivision = region.partition("-")
    found = holidays.country_holidays(country, subdivision or None, years=year, language=language)
    return dict(found)


@cache
def countries() -> frozenset[str]:
    """Return the codes of all known countries, ISO 3166-1 alpha-2."""
    return frozenset(code for code in EntityLoader.get_country_codes() if len(code) == 2)


def subdivisions_of(country: str) -> Sequence[str]:
    """Return the codes of the regions of a known country."""
    return tuple(getattr(holidays, country).subdivisions)


def translated(region: str, day: date, language: str) -> str | None:
    """Return the name of this region's holiday in a language, else in English; None if neither is known."""
    known = languages_of(region)
    locale = ENGLISH if language == "en" else language
    if locale in known:
        return public_holidays(region, day.year, locale).get(day)
    english = public_holidays(region, day.year, ENGLISH).get(day) if ENGLISH in known else None
    return names_from_english(language, day.year).get(english or "", english)


def languages_of(region: str) -> Sequence[str]:
    """Return the languages that the names of a region's holidays are known in."""
    return tuple(getattr(holidays, region.partition("-")[0]).supported_languages)


@cache
def names_from_english(language: str, year: int) -> Mapping[str, str]:
    """Return the names of holidays that many countries have, in this language, by their English ones."""
    country = SPEAKERS.get(language)
    if country is None:
        return {}
    own = public_holidays(country, year, language)
    english = public_holidays(country, year, ENGLISH)
    return {name: own[day] for day, name in english.items() if name != NATIONAL}
