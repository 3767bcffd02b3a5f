"""How numbers, instants and lengths are said to an owner, in his language. Pure."""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import phonenumbers
from babel.dates import format_date, format_skeleton, get_timezone_name

# What babel calls them: English is to say 24 Nov, not Nov 24.
LOCALES = {"nl": "nl", "fr": "fr", "de": "de", "es": "es", "en": "en_GB"}


@cache
def phrases(language: str) -> Mapping[str, Any]:
    """The phrases of `texts/<language>.toml`. Raises KeyError for a language there is not."""
    if language not in LOCALES:
        raise KeyError(language)
    return tomllib.loads((resources.files("mailer") / "texts" / f"{language}.toml").read_text("utf-8"))


@lru_cache(maxsize=10_000)
def local_number(number: str) -> str:
    """An E.164 service number as people of its country write it: 0800 12 345."""
    parsed = phonenumbers.parse(number, None)
    if phonenumbers.region_code_for_number(parsed) in (None, "001"):  # an 00800 number is nobody's country's
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)


def caller_number(caller: str, called: str) -> tuple[str, str]:
    """The caller to be read (+32 470 11 12 22) and to be dialled (tel:+32470111222).

    `caller` is a checked number as the trunk spelt it, `called` the E.164 service number whose country a
    national spelling belongs to. What cannot be a number of anywhere is shown as it came.
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
    """24 Nov 14:05; `local` is aware, in the number's zone."""
    return f"{format_skeleton('MMMd', local, locale=LOCALES[language])} {local:%H:%M}"


def full_instant(local: datetime, language: str) -> str:
    """Tuesday, 24 November 2026, 14:05 (Central European Standard Time, UTC+01:00)."""
    day = format_date(local, "full", locale=LOCALES[language])
    zone = get_timezone_name(local, locale=LOCALES[language])
    return f"{day}, {local:%H:%M} ({zone}, UTC{local:%:z})"


def length(seconds: float) -> str:
    """1:07; half a second is 0:01, for a message of 0:00 looks like none."""
    whole = max(round(seconds), 1)
    return f"{whole // 60}:{whole % 60:02}"
