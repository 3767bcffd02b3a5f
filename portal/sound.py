"""Audio for a browser: decrypted in parts, never on a disk; sent whole or in part.

Hours of it take some megabytes of memory. Another format than the stored one is made while it is sent: its
length is not known before, so there are no parts of it. A player that seeks asks for many parts: what was
opened a moment ago is kept open, and one line of the access log stands for all parts of one listening.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

import asyncpg
from aiohttp import hdrs, web

from portal.conversion import Conversion, Source
from portal.services import UNLIMITED
from storage.access import Access, Actor
from storage.encrypted_store import EncryptedStore

FORMATS = ("wav", "flac", "mp3", "opus")
TYPES: Mapping[str, str] = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
}
AT_ONCE = 2  # recordings opened, or blocks of them converted, at the same time
KEPT_SECONDS = 300.0
MOST_KEPT = 1000  # open ones: each is a key and some digests
CHUNK = 256 * 1024
CHUNK_SECONDS = 30.0  # a client that reads slower than this is given up


class Audio(Protocol):
    """A recording or a message. `format`: in which it is stored."""

    @property
    def audio_id(self) -> str: ...

    @property
    def format(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """What was opened for somebody, and when."""

    source: Source
    at: float


class Sounds:
    """Returns the audio of recordings and messages, and logs each access."""

    def __init__(self, encrypted_store: EncryptedStore) -> None:
        self._store = encrypted_store
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._kept: OrderedDict[tuple[str, str], Opened] = OrderedDict()

    async def of(
        self, con: asyncpg.Connection, audio: Audio, form: str, actor: Actor, what: Access
    ) -> Source | Conversion:
        """The audio in this format. Not in a transaction. Raises as EncryptedStore.open does."""
        key = (audio.audio_id, actor.operator)
        if what is Access.LISTEN and (source := self._recent(key)) is not None:
            return source
        async with self._turns:
            source = await self._store.open(con, audio.audio_id, actor, what)
        if form != audio.format:
            return Conversion(source, form, self._turns)
        if what is Access.LISTEN:
            self._kept[key] = Opened(source, time.monotonic())
        return source

    def _recent(self, key: tuple[str, str]) -> Source | None:
        oldest = time.monotonic() - KEPT_SECONDS
        while self._kept and (next(iter(self._kept.values())).at < oldest or len(self._kept) > MOST_KEPT):
            self._kept.popitem(last=False)
        opened = self._kept.get(key)
        return opened.source if opened else None


async def send(
    request: web.Request, source: Source | Conversion, form: str, name: str, as_file: bool
) -> web.StreamResponse:
    """Answer with the audio, or with the part of it that was asked for (RFC 9110, 14.2)."""
    request.app[UNLIMITED](request.transport)
    headers = {hdrs.CONTENT_TYPE: TYPES[form], hdrs.CACHE_CONTROL: "no-store"}
    if as_file:
        headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{name}"'
    if isinstance(source, Conversion):
        headers[hdrs.ACCEPT_RANGES] = "none"
        return await stream(request, web.StreamResponse(headers=headers), source.parts())
    start, stop, partial = asked_part(request, source.size)
    headers[hdrs.ACCEPT_RANGES] = "bytes"
    headers[hdrs.CONTENT_LENGTH] = str(stop - start)
    if partial:
        headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{source.size}"
    response = web.StreamResponse(status=206 if partial else 200, headers=headers)
    return await stream(request, response, source.parts(start, stop))


async def stream(
    request: web.Request, response: web.StreamResponse, parts: AsyncGenerator[bytes]
) -> web.StreamResponse:
    """Send the parts as they come; what fails then ends the connection, so that nobody takes it for whole."""
    async with aclosing(parts):
        await response.prepare(request)
        try:
            if request.method != hdrs.METH_HEAD:
                async for part in parts:
                    for at in range(0, len(part), CHUNK):
                        await write(request, response, part[at : at + CHUNK])
        except BaseException:
            if request.transport is not None:
                request.transport.abort()
            raise
    await response.write_eof()
    return response


def asked_part(request: web.Request, size: int) -> tuple[int, int, bool]:
    """Begin, end, and whether it is a part. Raises HTTPRequestRangeNotSatisfiable."""
    try:
        wanted = request.http_range
    except ValueError:  # more than one range, or none that can be read: all of it may be sent
        return 0, size, False
    if wanted.start is None and wanted.stop is None:
        return 0, size, False
    start, stop, _ = wanted.indices(size)
    if start >= stop:
        raise web.HTTPRequestRangeNotSatisfiable(headers={hdrs.CONTENT_RANGE: f"bytes */{size}"})
    return start, stop, True


async def write(request: web.Request, response: web.StreamResponse, data: bytes) -> None:
    """Write to the client; end the connection if it does not read."""
    try:
        async with asyncio.timeout(CHUNK_SECONDS):
            await response.write(data)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the client does not read") from None
