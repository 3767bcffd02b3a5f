"""Callers in our application for whom no step has done anything yet, and how long Asterisk lets them wait.

[door] and [back] of extensions.conf give them WAIT_SECONDS: if the engine has died, the fallback is called
within 2 s. An engine that is slow (a disk that hangs, an old routing version to be read) renews that for 4 s
more.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from engine.ari.client import Client
from engine.ari.errors import AriError

# As in extensions.conf.
WAIT_SECONDS = 1.8
# While an engine that was stopped in order is expected back, as at a deploy: a restart takes 3 s.
RETURN_SECONDS = 5.0
LEAVE_SECONDS = 1.5
RENEWALS = 8  # at most, one with each sign of life
LEASE = "TIMEOUT(absolute)"


class Waiting:
    """Their channels, from StasisStart until the first command of a step."""

    def __init__(self) -> None:
        self._channels: dict[str, int] = {}  # how often `renew` has seen each
        self._renewing: set[str] = set()
        self._renewed = asyncio.Event()

    def add(self, channel_id: str) -> None:
        self._channels[channel_id] = 0

    def discard(self, channel_id: str) -> None:
        self._channels.pop(channel_id, None)

    async def taken(self, channel_id: str) -> None:
        """Call this before a step's first command: a renewal that arrived after it would end the call."""
        self.discard(channel_id)
        while channel_id in self._renewing:
            await self._renewed.wait()

    async def renew(self, client: Client) -> None:
        """Renew the lease of the callers who were waiting the last time as well, but not for ever."""
        late = [channel for channel, times in self._channels.items() if 0 < times <= RENEWALS]
        self._channels = {channel: times + 1 for channel, times in self._channels.items()}
        await self._let_wait(client, late, WAIT_SECONDS)

    async def leave(self, client: Client) -> None:
        """Let them all wait for the next engine. A frozen Asterisk does not delay the end of this one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._let_wait(client, self._channels, RETURN_SECONDS)

    async def _let_wait(self, client: Client, channels: Iterable[str], seconds: float) -> None:
        self._renewing.update(channels)
        if not self._renewing:
            return
        self._renewed.clear()
        try:
            await asyncio.gather(*(let_wait(client, channel, seconds) for channel in self._renewing))
        finally:
            self._renewing.clear()
            self._renewed.set()


async def let_wait(client: Client, channel_id: str, seconds: float) -> None:
    """Give this caller a lease of so many seconds. A caller who has left meanwhile is ignored."""
    with suppress(AriError):
        await client.channels.set_channel_vars(channel_id, {LEASE: str(seconds)})


async def outlast(client: Client, channel_id: str, waits_since: datetime) -> None:
    """Let a caller of an earlier engine wait until RETURN_SECONDS are over: their route has to be read first.

    They count from `waits_since`: if one engine after the other dies, perhaps of this call, the caller
    reaches the fallback nevertheless.
    """
    try:
        left = float(await client.channels.get_channel_var(channel_id, LEASE))
    except (AriError, ValueError):
        return
    seconds = RETURN_SECONDS - max((datetime.now(UTC) - waits_since).total_seconds(), 0)
    if 0 < left < seconds:
        await let_wait(client, channel_id, seconds)
