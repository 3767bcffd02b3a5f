"""What the pages of messages and of recordings share: the list, one of them, its sound, its accesses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from portal.hearing import Heard, give
from portal.pages import page
from portal.place import instant_text, read_place
from portal.visitor import VISITOR, database
from storage.access import Access
from storage.owned import accesses
from storage.owned.accesses import AccessView
from storage.owned.pages import Cursor, Read, ReadPage

PAGE = 50
ACCESSES = 100
ID = "[0-9a-f-]{36}-[a-z0-9]{1,12}"


@dataclass(frozen=True, slots=True)
class AudioPages[V: Heard]:
    """`kind`: message or recording, as in addresses and templates. `read_page`, `read`: of storage.owned."""

    kind: str
    read_page: ReadPage[V]
    read: Read[V]

    async def show_list(self, request: web.Request) -> web.StreamResponse:
        """All of them, newest first, a page at a time."""
        place = read_place(request.query.get("after", ""))
        after = Cursor(*place) if place else None
        async with database(request) as con:
            found, following = await self.read_page(con, request[VISITOR].name, after, PAGE)
        values: dict[str, Any] = {
            f"{self.kind}s": found,
            "first": after is None,
            "following": instant_text(following.began, following.audio_id) if following else "",
        }
        return page(request, f"{self.kind}s.html", **values)

    async def its(self, request: web.Request) -> V:
        """The one that the address names. Raises HTTPNotFound unless it is this owner's."""
        async with database(request) as con:
            found = await self.read(con, request[VISITOR].name, request.match_info[self.kind])
        if found is None:
            raise web.HTTPNotFound(text=f"there is no such {self.kind}\n")
        return found

    async def accesses_of(self, request: web.Request, audio: V) -> Sequence[AccessView]:
        """Who saw or heard it, newest first."""
        async with database(request) as con:
            name = request[VISITOR].name
            lines, _ = await accesses.page(con, name, None, ACCESSES, audio_id=audio.audio_id)
        return lines

    async def play(self, request: web.Request) -> web.StreamResponse:
        """Its sound as it is stored, whole or the part that the player asks for."""
        audio = await self.its(request)
        return await give(request, audio, audio.format, Access.LISTEN)
