"""The bridge of a call: the caller and one destination, who hear each other in it.

A destination that rings alone is in it, alone, from before it is dialled. A leg that is dialled in no bridge
is put by Asterisk into one that all such legs of all calls share (`dial_bridge`, res/stasis/control.c): each
that comes or goes is told with a list of all the others, under one lock, and has to be moved once it answers.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.ari.errors import AriError, Conflict, Gone, Refused
from engine.ari.exchange import let_go
from engine.ari.leg import AriLeg
from engine.ari.talk import first_gone

if TYPE_CHECKING:
    from engine.ari.line import AriLine

HANG_UP_SECONDS = 2.0


class AriBridge:
    """One for a call, of a name that the next engine knows too; made when it is needed."""

    def __init__(self, line: "AriLine") -> None:
        self.id = f"{line.call_id}-br"
        self._line = line
        self._bridges = line.exchange.client.bridges
        self._made = False
        self._leg = ""

    async def make(self) -> None:
        """Raises AriError. It may be there already."""
        self._made = True
        with suppress(Conflict):
            await self._bridges.create_with_id(self.id)

    async def take_in(self, leg: AriLeg) -> None:
        """The leg alone. Where that fails it is joined later, or has gone, and says so itself."""
        with suppress(AriError):
            await self._bridges.add_channel(self.id, [leg.id])
            self._leg = leg.id

    async def join(self, leg: AriLeg) -> None:
        """Both. Who hung up in between raises HungUp."""
        if self._leg != leg.id:
            await self.make()
        both = [self._line.id] if self._leg == leg.id else [self._line.id, leg.id]
        try:
            await self._bridges.add_channel(self.id, both)
        except (Gone, Conflict, Refused):
            ends = {self._line.ended, leg.ended}
            await asyncio.wait(ends, timeout=HANG_UP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            raise first_gone(self._line, leg) from None

    async def dissolve_old(self) -> None:
        """One that an earlier engine may have made."""
        self._made = True
        await self.dissolve()

    async def dissolve(self) -> None:
        """Who is in it stays, each for himself: a bridge never hangs up."""
        if self._made:
            self._made, self._leg = False, ""
            await let_go(self._bridges.destroy(self.id))
