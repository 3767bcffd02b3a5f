"""Two legs in one bridge, and which of them left it first."""

import asyncio
from typing import TYPE_CHECKING

from engine.ari.channel import Channel
from engine.ari.leg import AriLeg
from engine.line import Ended, HungUp

if TYPE_CHECKING:
    from engine.ari.line import AriLine


class AriTalk:
    """Caller and destination in one bridge."""

    def __init__(self, line: "AriLine", leg: AriLeg) -> None:
        self._line = line
        self._leg = leg

    async def over(self, seconds: float) -> Ended | None:
        """Whoever left first ended it: both may have, while no engine was there to see it."""
        ends = {self._line.ended, self._leg.ended}
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not any(end.done() for end in ends):
            return None
        first = first_gone(self._line, self._leg)
        if first is self._line:
            raise HungUp(first, first.ended.result())
        return first.ended.result()


def first_gone(line: "AriLine", leg: AriLeg) -> Channel:
    """Of two legs of which at least one has ended, the one that ended first."""
    gone = (channel for channel in (line, leg) if channel.ended.done())
    return min(gone, key=lambda channel: channel.ended.result().at)
