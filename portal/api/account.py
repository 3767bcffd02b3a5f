"""The operations on the owner as a whole: numbers, accesses, statistics."""

from datetime import UTC, datetime, timedelta

from portal.api import shapes, views
from portal.api.asked import Asked, number_place
from portal.api.problem import not_there, wrong
from portal.api.queries import Page, Query, StatisticsQuery
from portal.services import SERVICES
from portal.switches import newest, switches_of
from storage.owned import accesses, statistics, switches

LONGEST_PERIOD = timedelta(days=400)


async def owner(asked: Asked[Query]) -> shapes.Owner:
    found = asked.request.app[SERVICES].routing.owner(asked.owner)
    return shapes.Owner.model_validate(
        {
            "owner": asked.owner,
            "name": found.name if found else "",
            "token": asked.token.name,
            "scopes": sorted(asked.token.scopes),
        }
    )


async def list_numbers(asked: Asked[Query]) -> shapes.Numbers:
    found = asked.request.app[SERVICES].routing.numbers_of(asked.owner)
    return shapes.Numbers(items=[views.number(one) for one in found])


async def get_number(asked: Asked[Query]) -> shapes.Number:
    for one in asked.request.app[SERVICES].routing.numbers_of(asked.owner):
        if one.number == f"+{asked.path['number']}":
            return views.number(one)
    raise not_there()


async def list_switches(asked: Asked[Query]) -> shapes.Switches:
    """Those that the route of the number depends on, also as other doors have put them."""
    services, written = asked.request.app[SERVICES], f"+{asked.path['number']}"
    for number in services.routing.numbers_of(asked.owner):
        if number.number == written:
            async with asked.database() as con:
                own = await switches.latest(con, asked.owner)
            latest = newest(await services.switches.latest(), own)
            found = switches_of(number, latest, datetime.now(UTC))
            return shapes.Switches(
                items=[shapes.Switch(name=name, until=line and line.until) for name, line in found.items()]
            )
    raise not_there()


async def list_accesses(asked: Asked[Page]) -> shapes.Accesses:
    after = number_place(asked.query.cursor)
    async with asked.database() as con:
        found, following = await accesses.page(con, asked.owner, after, asked.query.limit)
    return shapes.Accesses(
        items=[views.access(view) for view in found], next=str(following) if following is not None else None
    )


async def get_statistics(asked: Asked[StatisticsQuery]) -> shapes.Statistics:
    since, until = asked.query.since, asked.query.until
    if not timedelta(0) < until - since <= LONGEST_PERIOD:
        raise wrong([{"name": "until", "detail": "write an instant after `since`, at most 400 days later"}])
    zone = asked.request.app[SERVICES].routing.zone_of(asked.owner).key
    async with asked.database() as con:
        found = await statistics.count(con, asked.owner, since, until, zone)
    return views.statistics(found, since, until, zone)
