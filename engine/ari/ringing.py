"""Ringing destinations: all at once, the first to answer wins, the others are let go at once."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from dialplan.destination import Destination, Present
from dialplan.number import dial_key
from dialplan.result import Outcome, together
from engine.ari.causes import Cause
from engine.ari.errors import AriError
from engine.ari.exchange import ORPHAN_SECONDS, Exchange, presented, shown_to
from engine.ari.leg import AriLeg
from engine.line import HungUp

if TYPE_CHECKING:
    from engine.ari.line import AriLine

log = structlog.get_logger()

# A created leg is ours within a millisecond; so long only on a machine that is overloaded.
ENTER_SECONDS = 10.0
# Asterisk ends an attempt by itself when its seconds are over; so much later, Asterisk has forgotten it.
GRACE_SECONDS = 5.0


class AriRinging:
    """The legs of one `ring`. Whoever made it closes it."""

    def __init__(
        self,
        exchange: Exchange,
        caller: "AriLine",
        attempts: Sequence[tuple[AriLeg, Destination]],
        seconds: int,
    ) -> None:
        self._exchange = exchange
        self._caller = caller
        self._seconds = seconds
        self._legs = [leg for leg, _ in attempts]
        self._closing = False
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._dialling = {asyncio.create_task(self._dial(leg, to)) for leg, to in attempts}
        if len(attempts) == 1:  # why: engine.ari.bridge
            caller.bridge.prepare()

    async def first_answer(self) -> AriLeg | Outcome:
        """The first leg to answer, or what came of all of them. Raises HungUp when the caller gives up."""
        deadline = asyncio.get_running_loop().time() + self._seconds + GRACE_SECONDS
        trying = set(self._legs)
        while trying:
            await self._something_happens(trying, deadline)
            if self._caller.ended.done():
                raise HungUp(self._caller, self._caller.ended.result())
            if winner := next((leg for leg in self._legs if leg in trying and leg.up.done()), None):
                self._let_go_of(trying - {winner}, Cause.ANSWERED_ELSEWHERE)
                return winner
            trying = {leg for leg in trying if not leg.ended.done()}
            if asyncio.get_running_loop().time() > deadline:
                break
        return together(leg.ended.result().outcome for leg in self._legs if leg.ended.done())

    async def _something_happens(self, trying: set[AriLeg], deadline: float) -> None:
        news = {future for leg in trying for future in (leg.up, leg.ended)} | {self._caller.ended}
        left = max(deadline - asyncio.get_running_loop().time(), 0) + 0.1
        await asyncio.wait(news, timeout=left, return_when=asyncio.FIRST_COMPLETED)

    async def _dial(self, leg: AriLeg, to: Destination) -> None:
        """Create the leg, and dial it once it is ours: before, 37 of 100 tries are refused (measured)."""
        present = shown_to(to, self._caller.caller)
        caller = self._caller.id if present is Present.CALLER else None
        try:
            await self._exchange.client.channels.create(
                self._exchange.address(to),
                self._exchange.app,
                channel_id=leg.id,
                app_args="b",
                originator=caller,
                variables={
                    "TIMEOUT(absolute)": str(self._seconds + ORPHAN_SECONDS),
                    **presented(present, f"+{dial_key(self._caller.dialled)}"),
                },
            )
            await leg.until(leg.entered, ENTER_SECONDS)
            if not self._closing:
                dial = self._exchange.client.channels.dial(leg.id, caller=caller, timeout=self._seconds)
                await asyncio.gather(self._caller.bridge.take_in(leg), dial)
                await self._ring_back(leg)
        except HungUp:
            pass  # the leg has ended, and says itself how
        except (AriError, TimeoutError) as trouble:
            log.warning("leg_failed", leg=leg.id, error=str(trouble))
            leg.never_was()

    async def _ring_back(self, leg: AriLeg) -> None:
        """Once a telephone rings, the caller hears it ring."""
        try:
            await leg.until(leg.rings)
            if not self._closing and not leg.up.done():
                await self._caller.ring_back()
        except HungUp:
            pass

    def _let_go_of(self, legs: set[AriLeg], cause: Cause) -> None:
        self._goodbyes |= {asyncio.create_task(leg.let_go(cause)) for leg in legs}

    async def close(self) -> None:
        """Let go of every leg that is still there, and wait until Asterisk has.

        A leg may be in the making: its creation is waited for, since cancelling would not undo it.
        """
        self._closing = True
        self._let_go_of(self._living(), Cause.NORMAL)
        await self._settle(self._dialling)
        self._let_go_of(self._living(), Cause.NORMAL)
        await self._settle(self._goodbyes)

    def detach(self) -> None:
        """Leave the legs as they are, for the engine that comes after this one."""
        for task in self._dialling | self._goodbyes:
            task.cancel()
        self._caller.bridge.detach()

    def _living(self) -> set[AriLeg]:
        return {leg for leg in self._legs if not leg.ended.done()}

    async def _settle(self, tasks: set[asyncio.Task[None]]) -> None:
        if tasks:
            await asyncio.gather(*tasks)
