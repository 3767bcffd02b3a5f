"""The bridge of a call: the caller and one destination, who hear each other in it.

A destination that rings alone is in it, alone, from before it is dialled. A leg that is dialled in no bridge
is put by Asterisk into one that all such legs of all calls share (`dial_bridge`, res/stasis/control.c): each
that comes or goes is told with a list of all the others, under one lock, and has to be moved once it answers.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from engine.ari.errors import AriError, Conflict, Gone, Refused
from engine.ari.exchange import let_go
from engine.ari.leg import AriLeg
from engine.ari.talk import first_gone
from engine.line import HungUp

if TYPE_CHECKING:
    from engine.ari.line import AriLine

log = structlog.get_logger()

HANG_UP_SECONDS = 2.0


class AriBridge:
    """One for a call, of a name that the next engine knows too; made when it is needed, gone with the call.

    It is not made anew between two destinations: Asterisk takes a moment to let go of one, and says until
    then that it is there. Of 96 callers whose first destination was busy 12 heard nothing of the second.
    """

    def __init__(self, line: "AriLine") -> None:
        self.id = f"{line.call_id}-br"
        self._line = line
        self._bridges = line.exchange.client.bridges
        self._asked_for = False
        self._early: asyncio.Task[bool] | None = None
        self._leg = ""

    def prepare(self) -> None:
        """Begin to make it, unless it is there or in the making."""
        if self._early is None or (self._early.done() and not self._early.result()):
            self._asked_for = True
            self._early = asyncio.create_task(self._make_early())

    def adopt(self) -> None:
        """An earlier engine may have made it."""
        self._asked_for = True

    async def take_in(self, leg: AriLeg) -> None:
        """The leg alone, if the bridge is there by now: nobody waits for it to dial.

        Where that fails it is joined later, or has gone, and says so itself.
        """
        if self._early is None or not self._early.done() or not self._early.result():
            return
        with suppress(AriError):
            await self._bridges.add_channel(self.id, [leg.id])
            self._leg = leg.id

    async def join(self, leg: AriLeg) -> None:
        """Both. Who hung up in between raises HungUp; AriError when they are there and yet not joined."""
        if self._early is None or not await self._early:
            await self._make()
        both = [self._line.id] if self._leg == leg.id else [self._line.id, leg.id]
        try:
            await self._bridges.add_channel(self.id, both)
        except (Gone, Conflict, Refused):
            ends = {self._line.ended, leg.ended}
            done, _ = await asyncio.wait(ends, timeout=HANG_UP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise
            gone = first_gone(self._line, leg)
            raise HungUp(gone, gone.ended.result()) from None

    async def dissolve(self) -> None:
        """For good. Who is in it stays, each for himself: a bridge never hangs up.

        What is in the making is waited for: that command may come seconds late, and would make it anew.
        """
        if not self._asked_for:
            return
        early, self._early, self._asked_for, self._leg = self._early, None, False, ""
        if early is not None:
            await asyncio.wait({early})
        await let_go(self._bridges.destroy(self.id))

    def detach(self) -> None:
        if self._early is not None:
            self._early.cancel()

    async def _make_early(self) -> bool:
        try:
            await self._make()
        except AriError as trouble:  # once more when somebody has answered
            log.warning("bridge_not_made", error=str(trouble))
            return False
        return True

    async def _make(self) -> None:
        """Raises AriError. It may be there already."""
        self._asked_for = True
        with suppress(Conflict):
            await self._bridges.create_with_id(self.id)
