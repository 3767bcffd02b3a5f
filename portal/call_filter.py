"""The filter of the calls' page: read from a form, and sealed for the addresses of the pages that follow.

A caller's number must not be in an address: it would be in the browser's history and in a proxy's log.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
from multidict import MultiMapping

from dialplan.names import LANGUAGES
from dialplan.number import ServiceNumber
from portal.guard import field
from portal.texts import texts
from portal.wording import GROUPS
from storage.owned.calls import CallFilter

# What an owner writes for callers without a number, in each language.
NO_CALLER = frozenset({"withheld", *(str(texts(language)["withheld"]).casefold() for language in LANGUAGES)})


@dataclass(frozen=True, slots=True)
class Asked:
    """What the owner filled in: texts, empty where nothing. `outcome`: one of GROUPS."""

    number: str = ""
    since: str = ""
    until: str = ""
    outcome: str = ""
    caller: str = ""

    @property
    def is_empty(self) -> bool:
        return self == Asked()


class WrongFilter(ValueError):
    """A field cannot be understood; the text is its name."""


def read_form(fields: MultiMapping[object]) -> Asked:
    return Asked(**{name: field(fields, name)[:40] for name in Asked.__dataclass_fields__})


def as_filter(asked: Asked, zone: ZoneInfo, numbers: Sequence[ServiceNumber]) -> CallFilter:
    """The filter for the database; days are those of the owner's zone. Raises WrongFilter."""
    withheld = asked.caller.casefold() in NO_CALLER
    return CallFilter(
        number=asked.number or None,
        since=_begin(asked.since, zone, "since") if asked.since else None,
        until=_begin(asked.until, zone, "until", days=1) if asked.until else None,
        outcomes=_outcomes(asked.outcome),
        callers=tuple(_spellings(asked.caller, numbers)) if asked.caller and not withheld else None,
        withheld=True if withheld else None,
    )


def _outcomes(group: str) -> tuple[str, ...] | None:
    if group and group not in GROUPS:
        raise WrongFilter("outcome")
    return GROUPS[group] if group else None


def _begin(text: str, zone: ZoneInfo, name: str, days: int = 0) -> datetime:
    """The first moment of this day, or of the one `days` later."""
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
        return datetime(day.year, day.month, day.day, tzinfo=zone)
    except (ValueError, OverflowError):
        raise WrongFilter(name) from None


def _spellings(text: str, numbers: Sequence[ServiceNumber]) -> Iterator[str]:
    """A number in every form in which trunks send it: +32470..., 0032470..., 32470..., 0470..."""
    digits = re.sub(r"[\s./()-]", "", text)
    if not re.fullmatch(r"\+?[0-9]{1,20}", digits, re.ASCII):
        raise WrongFilter("caller")
    yield digits
    regions = {phonenumbers.region_code_for_number(phonenumbers.parse(it.number, None)) for it in numbers}
    for region in regions or {None}:
        try:
            parsed = phonenumbers.parse(digits, region)
        except phonenumbers.NumberParseException:
            continue
        country, national = str(parsed.country_code), str(parsed.national_number)
        yield from (f"+{country}{national}", f"00{country}{national}", f"{country}{national}", f"0{national}")


def as_json(asked: Asked) -> Mapping[str, str]:
    return {name: getattr(asked, name) for name in Asked.__dataclass_fields__}


def from_json(value: object) -> Asked:
    """Raises WrongFilter."""
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise WrongFilter("filter")
    try:
        return Asked(**value)
    except TypeError:
        raise WrongFilter("filter") from None
