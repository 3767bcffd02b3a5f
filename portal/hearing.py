"""A recording or a message as a person hears it: played in parts, or downloaded as a file."""

from datetime import datetime
from typing import Protocol

from aiohttp import web

from portal.sound import Audio, Sounds, send
from portal.visitor import VISITOR, Visitor, database
from storage.access import Access
from storage.encrypted_store import AudioDamaged, AudioDestroyed, EncryptedStore
from storage.objects import ObjectsTrouble

SOUNDS = web.AppKey("sounds", Sounds)


class Heard(Audio, Protocol):
    """What a person may want to hear."""

    @property
    def call_id(self) -> str: ...

    @property
    def began(self) -> datetime: ...

    @property
    def can_be_heard(self) -> bool: ...


def add_sounds(app: web.Application, store: EncryptedStore) -> None:
    app[SOUNDS] = Sounds(store)


async def give(request: web.Request, audio: Heard, form: str, what: Access) -> web.StreamResponse:
    """Its audio in this format, whole or the part that the player asks for. Raises HTTPException."""
    if not audio.can_be_heard:
        raise web.HTTPNotFound(text="this cannot be heard\n")
    visitor = request[VISITOR]
    try:
        async with database(request) as con:
            source = await request.app[SOUNDS].of(con, audio, form, visitor.actor, what)
    except AudioDestroyed:
        raise web.HTTPNotFound(text="this has been destroyed\n") from None
    except (AudioDamaged, ObjectsTrouble):
        raise web.HTTPServiceUnavailable(text="this cannot be read at the moment\n") from None
    return await send(request, source, form, file_name(audio, visitor, form), what is Access.DOWNLOAD)


def file_name(audio: Heard, visitor: Visitor, form: str) -> str:
    """recording-20261124-140507-1a2b3c4d.flac: it contains nothing of the caller."""
    local = audio.began.astimezone(visitor.zone)
    kind = "recording" if "-rec" in audio.audio_id else "message"
    return f"{kind}-{local:%Y%m%d-%H%M%S}-{audio.call_id[-8:]}.{form}"
