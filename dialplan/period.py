"""Periods, as operators write them: `30 days`."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import PlainValidator

from dialplan.model import Written

UNITS: Mapping[str, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
LONGEST = timedelta(days=3653)
SHORTEST_ANONYMISING = timedelta(days=7)
SHORTEST_OF_RECORDS = timedelta(days=30)  # storage/migrations/025_keeping.sql has it too


def read_period(written: object) -> timedelta:
    """Parse `30 days`. Raises ValueError with the remedy."""
    match = (
        re.fullmatch(r"(\d{1,4}) (hour|day|week)s?", written, re.ASCII) if isinstance(written, str) else None
    )
    if not match:
        raise ValueError("write a number and hours, days or weeks: 30 days")
    period = int(match[1]) * UNITS[match[2]]
    if not timedelta(0) < period <= LONGEST:
        raise ValueError(
            f"`{written}` is out of bounds; write something from 1 hour to 3653 days (ten years)"
        )
    return period


def written_period(period: timedelta) -> str:
    """Return the period as read_period reads it: `30 days`, or `12 hours`."""
    unit = "hour" if period % UNITS["day"] else "day"
    count = period // UNITS[unit]
    return f"{count} {unit}{'' if count == 1 else 's'}"


def read_anonymising(written: object) -> timedelta:
    """Parse `180 days`, of 7 days or more: a later correction of a record would bring its numbers back.

    Raises ValueError with the remedy.
    """
    period = read_period(written)
    if period < SHORTEST_ANONYMISING:
        raise ValueError(f"`{written}` is too short; write 7 days or more")
    return period


def read_period_of_records(written: object) -> timedelta:
    """Parse `400 days`, of 30 days or more: a record is destroyed for good, and has to be billed before.

    Raises ValueError with the remedy.
    """
    period = read_period(written)
    if period < SHORTEST_OF_RECORDS:
        raise ValueError(f"`{written}` is too short; write 30 days or more")
    return period


PATTERN = "^[0-9]{1,4} (hour|day|week)s?$"
Period = Annotated[
    timedelta,
    PlainValidator(read_period),
    Written(description="a time such as 30 days", type="string", pattern=PATTERN),
]
Anonymising = Annotated[
    timedelta,
    PlainValidator(read_anonymising),
    Written(description="a time of 7 days or more", type="string", pattern=PATTERN),
]
PeriodOfRecords = Annotated[
    timedelta,
    PlainValidator(read_period_of_records),
    Written(description="a time of 30 days or more", type="string", pattern=PATTERN),
]
