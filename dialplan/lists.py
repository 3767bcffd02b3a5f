"""What routes look up beside their own steps: lists of callers by name, and calendars as `NAME.ics`."""

from collections.abc import Mapping

from dialplan.caller_list import CallerList
from dialplan.event_calendar import EventCalendar

type Lists = Mapping[str, CallerList | EventCalendar]


def calendar_key(name: str) -> str:
    """Return the key of a calendar. No list of callers can have it: names have no dot."""
    return f"{name}.ics"
