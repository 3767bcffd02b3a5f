"""The pages of recordings: how long each is kept, who has heard it; play, download, destroy now."""

from aiohttp import web

from portal.guard import field, form
from portal.hearing import give
from portal.pages import page
from portal.place import instant_text, read_place
from portal.sound import FORMATS
from portal.visitor import VISITOR, database
from storage import recordings as store
from storage.access import Access
from storage.owned import accesses, recordings
from storage.owned.recordings import Cursor, RecordingView

PAGE = 50
ACCESSES = 100


async def show_recordings(request: web.Request) -> web.StreamResponse:
    place = read_place(request.query.get("after", ""))
    after = Cursor(*place) if place else None
    async with database(request) as con:
        found, following = await recordings.page(con, request[VISITOR].name, after, PAGE)
    return page(
        request,
        "recordings.html",
        recordings=found,
        first=after is None,
        following=instant_text(following.began, following.audio_id) if following else "",
    )


async def show_recording(request: web.Request) -> web.StreamResponse:
    """One recording: play, download, destroy; and who has heard it."""
    recording = await its_recording(request)
    async with database(request) as con:
        name = request[VISITOR].name
        heard, _ = await accesses.page(con, name, None, ACCESSES, audio_id=recording.audio_id)
    return page(request, "recording.html", recording=recording, accesses=heard, formats=FORMATS, asked=False)


async def play(request: web.Request) -> web.StreamResponse:
    """The recording as it is stored, whole or the part that the player asks for."""
    recording = await its_recording(request)
    return await give(request, recording, recording.format, Access.LISTEN)


async def download(request: web.Request) -> web.StreamResponse:
    """The recording as a file of one of FORMATS."""
    return await give(request, await its_recording(request), request.match_info["format"], Access.DOWNLOAD)


async def ask_to_destroy(request: web.Request) -> web.StreamResponse:
    """Say what will be lost, and ask."""
    recording = await its_recording(request)
    return page(request, "recording.html", recording=recording, accesses=[], formats=(), asked=True)


async def destroy(request: web.Request) -> web.StreamResponse:
    """Destroy it now: the worker does so within seconds."""
    recording = await its_recording(request)
    if field(await form(request), "sure") != recording.audio_id:
        raise web.HTTPBadRequest(text="this form is not complete\n")
    async with database(request) as con:
        try:
            await store.destroy(con, recording.audio_id, "owner", request[VISITOR].actor)
        except store.Refused:
            raise web.HTTPConflict(text="this recording cannot be destroyed: it is held, or gone\n") from None
    raise web.HTTPSeeOther(f"/recordings/{recording.audio_id}")


async def its_recording(request: web.Request) -> RecordingView:
    """The recording that the address names. Raises HTTPNotFound unless it is this owner's."""
    async with database(request) as con:
        found = await recordings.get(con, request[VISITOR].name, request.match_info["recording"])
    if found is None:
        raise web.HTTPNotFound(text="there is no such recording\n")
    return found


ID = "{recording:[0-9a-f-]{36}-[a-z0-9]{1,12}}"
ROUTES = (
    web.get("/recordings", show_recordings, name="recordings"),
    web.get(f"/recordings/{ID}", show_recording, name="recording"),
    web.get(f"/recordings/{ID}/sound", play, name="play"),
    web.get(f"/recordings/{ID}/file.{{format:wav|flac|mp3|opus}}", download, name="download"),
    web.get(f"/recordings/{ID}/destroy", ask_to_destroy, name="ask_to_destroy"),
    web.post(f"/recordings/{ID}/destroy", destroy, name="destroy"),
)
