"""Ask the caller for a key, or let the caller wait: a key or a timer stops the sound."""

import asyncio
from contextlib import suppress
from typing import Any

from dialplan.prompt import Prompt
from engine.ari.channel import Channel
from engine.ari.events import Kind, PlaybackFinished
from engine.ari.exchange import Exchange, best_effort, media
from engine.ari.keys import Keys
from engine.ari.lease import lease, leased
from engine.ari.playing import GRACE_SECONDS, PLAYBACK
from engine.line import Key
from journal.ids import playback_id

SHORTEST_SECONDS = 0.05  # if the music ends earlier, Asterisk could not play it


async def ask(
    exchange: Exchange, channel: Channel, keys: Keys, prompt: Prompt | None, seconds: float
) -> Key | None:
    """Play the prompt; return the next key, or None if none came in `seconds` after it. Raises HungUp."""
    pressed = asyncio.ensure_future(keys.next())
    try:
        await asyncio.sleep(0)  # a key that was pressed earlier is returned now
        if prompt is not None and not pressed.done():
            await _play_until(exchange, channel, pressed, prompt, prompt.seconds + seconds)
        else:
            await lease(exchange, channel.id, seconds)
        return await channel.until(pressed, seconds)
    except TimeoutError:
        return None
    finally:
        pressed.cancel()


async def wait(exchange: Exchange, channel: Channel, seconds: float, music: Prompt | None) -> None:
    """Play music to the caller for `seconds`, or ringing if there is none. Raises HungUp."""
    over = asyncio.ensure_future(asyncio.sleep(seconds))
    try:
        if music is None:
            await _ring_until(exchange, channel, over, seconds)
        else:
            await _repeat_until(exchange, channel, over, music, seconds)
        await channel.until(over)
    finally:
        over.cancel()


async def _ring_until(
    exchange: Exchange, channel: Channel, over: asyncio.Future[None], seconds: float
) -> None:
    start = await leased(exchange, channel.id, seconds)
    await start.channels.ring(channel.id)
    await channel.command(start.carry_out())
    await channel.until(over)
    await best_effort(exchange.client.channels.ring_stop(channel.id))


async def _repeat_until(
    exchange: Exchange, channel: Channel, over: asyncio.Future[None], music: Prompt, seconds: float
) -> None:
    """Repeat the music until `over` is done. If it cannot be played, the caller waits in silence."""
    loop = asyncio.get_running_loop()
    while not over.done():
        began = loop.time()
        await _play_until(exchange, channel, over, music, seconds)
        if loop.time() - began < min(music.seconds, SHORTEST_SECONDS):
            return


async def _play_until(
    exchange: Exchange, channel: Channel, over: asyncio.Future[Any], prompt: Prompt, seconds: float
) -> None:
    """Play the prompt to its end, or until `over` is done. The lease is renewed for so many seconds."""
    playback = playback_id(channel.id)
    start = await leased(exchange, channel.id, seconds, **{PLAYBACK: playback})
    await start.channels.play_with_id(channel.id, playback, [media(prompt)])
    with exchange.dispatcher.expect((Kind.PLAYBACK, playback), PlaybackFinished) as finished:
        # `over` does not interrupt this command: Asterisk can stop only a playback that it has begun.
        await channel.command(start.carry_out())
        either = asyncio.ensure_future(asyncio.wait({over, finished}, return_when=asyncio.FIRST_COMPLETED))
        try:
            with suppress(TimeoutError):
                await channel.until(either, prompt.seconds + GRACE_SECONDS)
        finally:
            either.cancel()
        if not finished.done():
            await best_effort(exchange.client.playbacks.stop(playback))
