"""The page of one call: its attempts, the reason of each turn, its message and recording."""

from uuid import UUID

import asyncpg
from aiohttp import web

from portal.pages import page
from portal.path_words import Line, lines
from portal.services import SERVICES
from portal.visitor import VISITOR, database
from storage.owned import calls, messages, recordings
from storage.records import CallRecord
from storage.retracing import facts_of, retrace

NOT_THERE = "there is no such page\n"


async def show_call(request: web.Request) -> web.StreamResponse:
    visitor = request[VISITOR]
    async with database(request) as con:
        call = await calls.get(con, visitor.name, UUID(request.match_info["call"]))
        if call is None:
            raise web.HTTPNotFound(text=NOT_THERE)
        message, recording = await audio_of(con, visitor.name, call)
    return page(
        request,
        "call.html",
        call=call,
        path=await path_of(request, call),
        message=message,
        recording=recording,
    )


async def audio_of(
    con: asyncpg.Connection, owner: str, call: CallRecord
) -> tuple[messages.MessageView | None, recordings.RecordingView | None]:
    message = await messages.get(con, owner, call.message_id) if call.message_id else None
    recording = await recordings.get(con, owner, call.recording_id) if call.recording_id else None
    return message, recording


async def path_of(request: web.Request, call: CallRecord) -> list[Line]:
    """The turns and steps of the call; empty if its routing version is not kept here any more."""
    routing = await request.app[SERVICES].routing.version(call.routing)
    number = routing.number(call.number) if routing else None
    if routing is None or number is None or number.owner != call.owner:
        return []
    path, facts = retrace(call, number, routing.lists).path, facts_of(call, number, routing.lists)
    return list(lines(path, request[VISITOR].language, facts))


UUIDS = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ROUTES = (web.get(f"/calls/{{call:{UUIDS}}}", show_call, name="call"),)
