"""Numbers, instants and lengths as text in the owner's language. Pure."""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import phonenumbers
from babel.dates import format_date, format_skeleton, get_timezone_name

# Babel's locales; en_GB because English texts write 24 Nov, not Nov 24.
LOCALES = {"nl": "nl", "fr": "fr", "de": "de", "es": "es", "en": "en_GB"}


@cache
def phrases(language: str) -> Mapping[str, Any]:
    """The phrases of `texts/<language>.toml`. Raises KeyError for an unknown language."""
    if language not in LOCALES:
        raise KeyError(language)
    return tomllib.loads((resources.files("mailer") / "texts" / f"{language}.toml").read_text("utf-8"))


@lru_cache(maxsize=10_000)
def local_number(number: str) -> str:
    """An E.164 service number as people of its country write it: 0800 12 345."""
    parsed = phonenumbers.parse(number, None)
    if phonenumbers.region_code_for_number(parsed) in (None, "001"):  # +800 and others belong to no country
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)


def caller_number(caller: str, called: str) -> tuple[str, str]:
    """The caller's number to read (+32 470 11 12 22) and to dial (tel:+32470111222).

    `caller` is a checked number as the trunk wrote it. `called` is the E.164 service number, whose country a
    national number belongs to. A number that is impossible everywhere is shown unchanged.
    """
    region = phonenumbers.region_code_for_number(phonenumbers.parse(called, None))
    try:
        parsed = phonenumbers.parse(caller, region)
    except phonenumbers.NumberParseException:
        return caller, f"tel:{caller}"
    if not phonenumbers.is_possible_number(parsed):
        return caller, f"tel:{caller}"
    shown = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return shown, f"tel:{phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)}"


def short_instant(local: datetime, language: str) -> str:
    """24 Nov 14:05; `local` is aware, in the service number's zone."""
    return f"{format_skeleton('MMMd', local, locale=LOCALES[language])} {local:%H:%M}"


def full_instant(local: datetime, language: str) -> str:
    """Tuesday, 24 November 2026, 14:05 (Central European Standard Time, UTC+01:00)."""
    day = format_date(local, "full", locale=LOCALES[language])
    zone = get_timezone_name(local, locale=LOCALES[language])
    return f"{day}, {local:%H:%M} ({zone}, UTC{local:%:z})"


def length(seconds: float) -> str:
    """1:07. Half a second is shown as 0:01: 0:00 would look like an empty message."""
    whole = max(round(seconds), 1)
    return f"{whole // 60}:{whole % 60:02}"
