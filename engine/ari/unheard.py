"""Callers who were answered and never sent anything: they lose their line while other calls are refused.

Asterisk itself ends such a call after 120 s (rtp_timeout), which a muted telephone may need. While calls are
refused for want of lines, ten seconds are enough: an honest telephone sends RTP, or at least RTCP, by then.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import timedelta

from engine.ari.errors import AriError
from engine.ari.exchange import Exchange, best_effort
from engine.ari.live import Live
from engine.causes import Cause
from process.rarely import Rarely

SILENT = timedelta(seconds=10)
EVERY_SECONDS = 5.0


class Unheard:
    """Looks for them, at most once in five seconds."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._next = 0.0
        self._rarely = Rarely()

    def look(self, lives: Iterable[Live]) -> Coroutine[None, None, None] | None:
        """Return the work of hanging up those of these calls; None if it was begun just now."""
        now = asyncio.get_running_loop().time()
        if now < self._next:
            return None
        self._next = now + EVERY_SECONDS
        return self._hang_up([live for live in lives if self._is_due(live)])

    def _is_due(self, live: Live) -> bool:
        answered = live.journal.state.answered
        return answered is not None and self._exchange.last_known - answered > SILENT

    async def _hang_up(self, lives: Iterable[Live]) -> None:
        channels = self._exchange.client.channels
        for live in lives:
            try:
                heard = await channels.rtpstatistics(live.line.id)
            except AriError:  # the call has ended
                continue
            if not heard:
                await best_effort(channels.hangup(live.line.id, reason_code=Cause.CHANNEL_UNAVAILABLE))
                self._rarely.warning("silent_caller_hung_up", "no sound", number=live.line.dialled)
