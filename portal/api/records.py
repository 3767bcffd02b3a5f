"""The operations on calls and messages."""

from uuid import UUID

from portal.api import shapes, views
from portal.api.asked import Asked, call_place, page_of
from portal.api.problem import not_there
from portal.api.queries import CallsQuery, Page, Query
from portal.place import instant_text
from storage.owned import calls, messages


async def list_calls(asked: Asked[CallsQuery]) -> shapes.Calls:
    query, after = asked.query, call_place(asked.query.cursor)
    wanted = calls.CallFilter(
        number=query.number,
        since=query.since,
        until=query.until,
        outcomes=(query.outcome,) if query.outcome else None,
        withheld=query.withheld,
    )
    async with asked.database() as con:
        found, following = await calls.page(
            con, asked.owner, wanted, calls.Cursor(*after) if after else None, query.limit
        )
    return shapes.Calls(
        items=[views.call(record) for record in found],
        next=instant_text(following.began, following.call_id) if following else None,
    )


async def get_call(asked: Asked[Query]) -> shapes.Call:
    async with asked.database() as con:
        found = await calls.get(con, asked.owner, UUID(asked.path["call_id"]))
    if found is None:
        raise not_there()
    return views.call(found)


async def list_messages(asked: Asked[Page]) -> shapes.Messages:
    found, following = await page_of(asked, messages.page)
    return shapes.Messages(items=[views.message(view) for view in found], next=following)


async def get_message(asked: Asked[Query]) -> shapes.Message:
    async with asked.database() as con:
        found = await messages.get(con, asked.owner, asked.path["message_id"])
    if found is None:
        raise not_there()
    return views.message(found)
