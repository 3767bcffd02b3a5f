"""The first page: how the calls of today and of the last 30 days went, and what is wrong now."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from aiohttp import web
from babel.dates import get_day_names

from mailer.wording import LOCALES
from portal.pages import page
from portal.plots import Plot, stacked
from portal.visitor import VISITOR, Visitor, database
from portal.wording import GROUP_OF, GROUPS
from storage.owned import statistics
from storage.owned.statistics import DAYS, Statistics

LAST = timedelta(days=30)
# An owner with a million calls a month: the last 30 days need not be counted at every visit.
FRESH_SECONDS = 60.0
MOST = 1000


@dataclass(frozen=True, slots=True)
class Counted:
    """The last 30 days of an owner, and when they were counted."""

    statistics: Statistics
    at: float


class Recent:
    """The last 30 days of each owner, counted at most once in FRESH_SECONDS."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, str], Counted] = {}

    async def of(self, con: asyncpg.Connection, visitor: Visitor, now: datetime) -> Statistics:
        key = (visitor.name, visitor.zone.key)
        counted = self._counted.get(key)
        if counted is None or time.monotonic() - counted.at > FRESH_SECONDS:
            since = first_moment(now, visitor) - LAST
            found = await statistics.count(con, visitor.name, since, now, visitor.zone.key)
            counted = Counted(found, time.monotonic())
            if len(self._counted) >= MOST:
                self._counted.clear()
            self._counted[key] = counted
        return counted.statistics


RECENT = web.AppKey("recent", Recent)


async def show_overview(request: web.Request) -> web.StreamResponse:
    visitor = request[VISITOR]
    now = datetime.now(visitor.zone)
    async with database(request) as con:
        today = await statistics.count(con, visitor.name, first_moment(now, visitor), now, visitor.zone.key)
        recent = await request.app[RECENT].of(con, visitor, now)
        wrong = await statistics.troubles(con, visitor.name)
    return page(
        request,
        "overview.html",
        now=now,
        periods=[("today", by_group(today), today), ("recent", by_group(recent), recent)],
        groups=list(GROUPS),
        plots=[("by_hour", hours(recent)), ("by_weekday", weekdays(recent, visitor.language))],
        wrong=wrong,
    )


def first_moment(now: datetime, visitor: Visitor) -> datetime:
    """The first moment of this day, in the owner's zone."""
    local = now.astimezone(visitor.zone)
    return datetime(local.year, local.month, local.day, tzinfo=visitor.zone)


def by_group(found: Statistics) -> Mapping[str, int]:
    counts = dict.fromkeys(GROUPS, 0)
    for outcome, calls in found.outcomes.items():
        counts[GROUP_OF.get(outcome, "missed")] += calls
    return counts


def hours(found: Statistics) -> Plot:
    rows = [(f"{hour:02}", _groups_at(found.hours, hour)) for hour in range(24)]
    return stacked(rows, list(GROUPS))


def weekdays(found: Statistics, language: str) -> Plot:
    names = get_day_names("abbreviated", locale=LOCALES[language])
    rows = [(str(names[day - 1]), _groups_at(found.weekdays, day)) for day in DAYS]
    return stacked(rows, list(GROUPS))


def _groups_at(counts: Mapping[tuple[int, str], int], place: int) -> Mapping[str, int]:
    found = dict.fromkeys(GROUPS, 0)
    for (at, outcome), calls in counts.items():
        if at == place:
            found[GROUP_OF.get(outcome, "missed")] += calls
    return found


ROUTES = (web.get("/", show_overview, name="overview"),)
