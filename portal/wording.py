"""Instants, lengths, numbers and outcomes as an owner reads them. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal
from babel.units import format_unit

from dialplan.address import is_address
from mailer.wording import LOCALES, caller_number, local_number
from portal.texts import texts

# The outcomes of a call record, as an owner counts them.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "answered": ("answered",),
    "missed": ("busy", "no_answer", "unreachable", "rejected", "failed", "lost"),
    "voicemail": ("voicemail",),
    "abandoned": ("abandoned",),
    "closed": ("closed",),
}
GROUP_OF: Mapping[str, str] = {outcome: group for group, some in GROUPS.items() for outcome in some}


def instant(at: datetime | None, zone: ZoneInfo, language: str) -> str:
    """24 Nov 2026, 14:05:07, in this zone; "" without an instant."""
    if at is None:
        return ""
    local = at.astimezone(zone)
    return f"{format_skeleton('yMMMd', local, locale=LOCALES[language])}, {local:%H:%M:%S}"


def day(at: datetime, zone: ZoneInfo, language: str) -> str:
    """Tuesday, 24 November 2026."""
    return format_date(at.astimezone(zone), "full", locale=LOCALES[language])


def length(seconds: float | None) -> str:
    """0:07, 1:02:03; "" if there is none."""
    if not seconds:
        return ""
    whole = max(round(seconds), 1)
    minutes, hours = whole // 60 % 60, whole // 3600
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def decimal(value: float | None, language: str) -> str:
    """12.3, with the language's sign; a dash if there is none."""
    return "–" if value is None else str(format_decimal(round(value, 1), locale=LOCALES[language]))


def whole(value: int, language: str) -> str:
    """12,345, with the language's sign."""
    return str(format_decimal(value, locale=LOCALES[language]))


def caller(call: Any, language: str) -> str:
    """The caller of a call, a message or a recording: the number, or that there is none to show."""
    if call.withheld:
        return str(texts(language)["withheld"])
    if not call.caller:
        return str(texts(language)["unknown"])
    return caller_number(call.caller, call.number)[0] if call.number else str(call.caller)


def kept(period: timedelta, language: str) -> str:
    """30 days, 12 hours."""
    if period % timedelta(days=1):
        return str(format_unit(period // timedelta(hours=1), "hour", locale=LOCALES[language]))
    return str(format_unit(period // timedelta(days=1), "day", locale=LOCALES[language]))


def spoken_number(number: str) -> str:
    """A service number, or a destination, as people write it. A SIP address is shown unchanged."""
    if is_address(number):  # phonenumbers would find a number in it
        return number
    try:
        return local_number(number)
    except Exception:  # noqa: BLE001 - phonenumbers refuses what is not E.164: then it is shown unchanged
        return number


def group(outcome: str) -> str:
    """The group of an outcome, one of GROUPS."""
    return GROUP_OF.get(outcome, "missed")


def detail(text: str, language: str) -> str:
    """The detail of a line of the access log, with the settings named as the owner sees them."""
    names = texts(language)["settings"]
    parts = (part.partition(": ") for part in text.split("; "))
    return "; ".join(f"{names.get(name, name)}{colon}{rest}" for name, colon, rest in parts)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "instant": instant,
    "day": day,
    "duration": length,
    "decimal": decimal,
    "detail": detail,
    "whole": whole,
    "caller": caller,
    "group": group,
    "number": spoken_number,
    "kept": kept,
}
