"""The operations on recordings, and on their audio."""

from http import HTTPStatus

from aiohttp import web

from portal.api import shapes, views
from portal.api.asked import Asked, page_of
from portal.api.problem import Problem, not_there
from portal.api.queries import AudioQuery, Page, Query
from portal.hearing import SOUNDS
from portal.sound import send
from storage.access import Access
from storage.encrypted_store import AudioDamaged, AudioDestroyed
from storage.objects import ObjectsTrouble
from storage.owned import recordings


async def list_recordings(asked: Asked[Page]) -> shapes.Recordings:
    found, following = await page_of(asked, recordings.page)
    return shapes.Recordings(items=[views.recording(view) for view in found], next=following)


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
            source = await asked.request.app[SOUNDS].of(con, recording, form, asked.actor, Access.DOWNLOAD)
    except AudioDestroyed:
        raise not_there() from None
    except (AudioDamaged, ObjectsTrouble):
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "this recording cannot be read at the moment") from None
    return await send(asked.request, source, form, f"{recording.audio_id}.{form}", as_file=True)


async def _recording[Q: Query](asked: Asked[Q]) -> recordings.RecordingView:
    async with asked.database() as con:
        found = await recordings.get(con, asked.owner, asked.path["recording_id"])
    if found is None:
        raise not_there()
    return found
