"""The pages of recordings: how long each is kept, who has heard it; play, download, destroy now."""

from aiohttp import web

from portal.audio_pages import ID, AudioPages
from portal.guard import field, form
from portal.hearing import give
from portal.pages import page
from portal.sound import FORMATS
from portal.visitor import VISITOR, database
from storage import recordings as store
from storage.access import Access
from storage.owned import recordings

PAGES = AudioPages("recording", recordings.page, recordings.get)


async def show_recording(request: web.Request) -> web.StreamResponse:
    """One recording: play, download, destroy; and who has heard it."""
    recording = await PAGES.its(request)
    heard = await PAGES.accesses_of(request, recording)
    return page(request, "recording.html", recording=recording, accesses=heard, formats=FORMATS, asked=False)


async def download(request: web.Request) -> web.StreamResponse:
    """The recording as a file of one of FORMATS."""
    return await give(request, await PAGES.its(request), request.match_info["format"], Access.DOWNLOAD)


async def ask_to_destroy(request: web.Request) -> web.StreamResponse:
    """Say what will be lost, and ask."""
    recording = await PAGES.its(request)
    return page(request, "recording.html", recording=recording, accesses=[], formats=(), asked=True)


async def destroy(request: web.Request) -> web.StreamResponse:
    """Destroy it now: the worker does so within seconds."""
    recording = await PAGES.its(request)
    if field(await form(request), "sure") != recording.audio_id:
        raise web.HTTPBadRequest(text="this form is not complete\n")
    async with database(request) as con:
        try:
            await store.destroy(con, recording.audio_id, "owner", request[VISITOR].actor)
        except store.Refused:
            raise web.HTTPConflict(text="this recording cannot be destroyed: it is held, or gone\n") from None
    raise web.HTTPSeeOther(f"/recordings/{recording.audio_id}")


ONE = f"/recordings/{{recording:{ID}}}"
ROUTES = (
    web.get("/recordings", PAGES.show_list, name="recordings"),
    web.get(ONE, show_recording, name="recording"),
    web.get(f"{ONE}/sound", PAGES.play, name="play"),
    web.get(f"{ONE}/file.{{format:wav|flac|mp3|opus}}", download, name="download"),
    web.get(f"{ONE}/destroy", ask_to_destroy, name="ask_to_destroy"),
    web.post(f"{ONE}/destroy", destroy, name="destroy"),
)
