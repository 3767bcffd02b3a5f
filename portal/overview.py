"""The first page: how the calls of today and of the last 30 days went, and what is wrong now."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

import structlog
from aiohttp import web
from babel.dates import get_day_names

from mailer.wording import LOCALES
from portal.pages import page
from portal.plots import Plot, stacked
from portal.services import SERVICES
from portal.visitor import VISITOR, Visitor, database
from portal.wording import GROUP_OF, GROUPS
from storage.owned import statistics
from storage.owned.statistics import DAYS, Statistics
from storage.owned.tenant import owned

log = structlog.get_logger()

LAST = timedelta(days=30)
# An owner with a million calls: the last 30 days need not be counted at every visit, and no visit has to wait
# for it if they were counted some minutes ago.
FRESH_SECONDS = 60.0
USABLE_SECONDS = 300.0
MOST = 1000


@dataclass(frozen=True, slots=True)
class Counted:
    """The last 30 days of an owner, and when they were counted."""

    statistics: Statistics
    at: float


type Key = tuple[str, str]  # owner and zone
type Count = Callable[[], Awaitable[Statistics]]


class Recent:
    """The last 30 days of each owner, counted at most once in FRESH_SECONDS, by one task at a time."""

    def __init__(self) -> None:
        self._counted: dict[Key, Counted] = {}
        self._counting: dict[Key, asyncio.Task[Statistics]] = {}

    async def of(self, key: Key, count: Count) -> Statistics:
        """What was counted lately, else what `count` returns. Raises as `count` does."""
        counted = self._counted.get(key)
        age = monotonic() - counted.at if counted else USABLE_SECONDS
        if counted is not None and age < FRESH_SECONDS:
            return counted.statistics
        counting = self._counting.get(key)
        if counting is None:
            counting = asyncio.create_task(self._count(key, count))
            self._counting[key] = counting
            counting.add_done_callback(partial(self._done, key))
        if counted is not None and age < USABLE_SECONDS:
            return counted.statistics
        return await asyncio.shield(counting)

    async def _count(self, key: Key, count: Count) -> Statistics:
        found = await count()
        if len(self._counted) >= MOST:
            self._counted.clear()
        self._counted[key] = Counted(found, monotonic())
        return found

    def _done(self, key: Key, counting: asyncio.Task[Statistics]) -> None:
        del self._counting[key]
        if not counting.cancelled() and (error := counting.exception()):
            log.warning("portal_count_failed", error=type(error).__name__)


RECENT = web.AppKey("recent", Recent)


async def show_overview(request: web.Request) -> web.StreamResponse:
    visitor = request[VISITOR]
    now = datetime.now(visitor.zone)
    recent = await request.app[RECENT].of(
        (visitor.name, visitor.zone.key), partial(last_days, request, visitor)
    )
    async with database(request) as con:
        today = await statistics.count(con, visitor.name, first_moment(now, visitor), now, visitor.zone.key)
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


async def last_days(request: web.Request, visitor: Visitor) -> Statistics:
    """Count the last 30 days, on a connection of its own: another visit may have begun it."""
    now = datetime.now(visitor.zone)
    async with owned(request.app[SERVICES].pool, visitor.name) as con:
        since = first_moment(now, visitor) - LAST
        return await statistics.count(con, visitor.name, since, now, visitor.zone.key)


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
