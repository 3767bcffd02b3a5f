"""What each operation of the API does: reads of one owner's rows, of the read models that the pages have."""

from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from portal.api import shapes, views
from portal.api.asked import Asked, call_place, number_place, place, wrong
from portal.api.problem import Problem, not_there
from portal.api.queries import AudioQuery, CallsQuery, Page, Query, StatisticsQuery
from portal.place import instant_text
from portal.recordings import SOUNDS
from portal.services import SERVICES
from portal.sound import send
from storage.access import Access
from storage.encrypted_store import AudioDamaged, AudioDestroyed
from storage.objects import ObjectsTrouble
from storage.owned import accesses, calls, messages, recordings, statistics

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
    after = place(asked.query.cursor)
    async with asked.database() as con:
        found, following = await messages.page(
            con, asked.owner, messages.Cursor(*after) if after else None, asked.query.limit
        )
    return shapes.Messages(
        items=[views.message(view) for view in found],
        next=instant_text(following.began, following.message_id) if following else None,
    )


async def get_message(asked: Asked[Query]) -> shapes.Message:
    async with asked.database() as con:
        found = await messages.get(con, asked.owner, asked.path["message_id"])
    if found is None:
        raise not_there()
    return views.message(found)


async def list_recordings(asked: Asked[Page]) -> shapes.Recordings:
    after = place(asked.query.cursor)
    async with asked.database() as con:
        found, following = await recordings.page(
            con, asked.owner, recordings.Cursor(*after) if after else None, asked.query.limit
        )
    return shapes.Recordings(
        items=[views.recording(view) for view in found],
        next=instant_text(following.began, following.audio_id) if following else None,
    )


async def get_recording(asked: Asked[Query]) -> shapes.Recording:
    return views.recording(await _recording(asked))


async def get_audio(asked: Asked[AudioQuery]) -> web.StreamResponse:
    """Each fetch is a line of the access log."""
    recording = await _recording(asked)
    if not recording.can_be_heard:
        raise not_there()
    form = asked.query.format or recording.format
    try:
        async with asked.database() as con:
            data = await asked.request.app[SOUNDS].of(con, recording, form, asked.actor, Access.DOWNLOAD)
    except AudioDestroyed:
        raise not_there() from None
    except (AudioDamaged, ObjectsTrouble):
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "this recording cannot be read at the moment") from None
    return await send(asked.request, data, form, f"{recording.audio_id}.{form}", as_file=True)


async def _recording(asked: Asked[Query]) -> recordings.RecordingView:
    async with asked.database() as con:
        found = await recordings.get(con, asked.owner, asked.path["recording_id"])
    if found is None:
        raise not_there()
    return found


async def list_numbers(asked: Asked[Query]) -> shapes.Numbers:
    found = asked.request.app[SERVICES].routing.numbers_of(asked.owner)
    return shapes.Numbers(items=[views.number(one) for one in found])


async def get_number(asked: Asked[Query]) -> shapes.Number:
    for one in asked.request.app[SERVICES].routing.numbers_of(asked.owner):
        if one.number == f"+{asked.path['number']}":
            return views.number(one)
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
