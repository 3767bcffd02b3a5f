"""The bridge of a call: the caller and one destination, who hear each other in it.

Both may be in it before the destination answers. Asterisk then passes on to the caller by itself what comes
from there: that it rings, early media, the answer. That saves two commands a call, and the caller is answered
0.5 ms after the destination; a call whose destination answers while no engine is there goes through.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.ari.errors import AriError, Conflict, Gone, Refused
from engine.ari.exchange import let_go
from engine.ari.leg import AriLeg
from engine.ari.talk import first_gone
from engine.line import LegWitness

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

    async def make(self) -> None:
        """Raises AriError. It may be there already."""
        self._made = True
        with suppress(Conflict):
            await self._bridges.create_with_id(self.id)

    async def join_early(self, leg: AriLeg) -> None:
        """Both, before the leg is dialled; `leg.connected` tells whether they are."""
        with suppress(AriError):  # one of them has gone, and says so itself; if not, they are joined later
            await self._bridges.add_channel(self.id, [self._line.id, leg.id])
            leg.connected = True

    async def join(self, leg: AriLeg) -> None:
        """Both, now that the leg has answered. Who hung up meanwhile raises HungUp."""
        if leg.connected:
            if not await self._line.is_up():  # what the bridge should have passed on
                await self._line.answer()
            return
        await self.make()
        try:
            await self._bridges.add_channel(self.id, [self._line.id, leg.id])
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
            self._made = False
            await let_go(self._bridges.destroy(self.id))


class EarlyBridge:
    """The bridge being made for two who are to be in it before either is answered."""

    def __init__(self, caller: "AriLine", witness: LegWitness) -> None:
        self._made = asyncio.create_task(caller.bridge.make())
        self._written = asyncio.create_task(witness.is_written())

    @property
    def is_ready(self) -> bool:
        """It is there, and the journal has the call. Nobody waits with dialling until it is."""
        return self._made.done() and self._written.done() and self._made.exception() is None

    async def settle(self) -> None:
        """Wait for what is in the making: cancelling would not undo it. The journal is not waited for."""
        self._written.cancel()
        with suppress(AriError):
            await self._made

    def cancel(self) -> None:
        self._made.cancel()
        self._written.cancel()
