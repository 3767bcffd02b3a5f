"""Asking the caller for a key, and letting the caller wait: sounds that something else ends."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dialplan.prompt import Prompt
from engine.ari.events import Kind, PlaybackFinished
from engine.ari.exchange import let_go, media
from engine.ari.playing import GRACE_SECONDS, playback_id, playing
from engine.line import ANSWER_SECONDS, Key
from engine.notice import ANSWER_KEY

if TYPE_CHECKING:
    from engine.ari.line import AriLine

SHORTEST_SECONDS = 0.05  # music that ends sooner was not played


async def ask(line: "AriLine", prompt: Prompt | None, playback: str, seconds: float) -> Key | None:
    """The next key; None when the prompt was heard and so many seconds passed. Raises HungUp."""
    pressed = asyncio.ensure_future(line.keys.next())
    try:
        await asyncio.sleep(0)  # a key that waits is there now
        if prompt is not None and not pressed.done():
            await _play_until(pressed, line, playback, prompt)
        return await line.until(pressed, seconds)
    except TimeoutError:
        return None
    finally:
        pressed.cancel()


async def wait(line: "AriLine", seconds: float, music: Prompt | None) -> None:
    """Ringing or music for so many seconds. Raises HungUp."""
    over = asyncio.ensure_future(asyncio.sleep(seconds))
    try:
        if music is None:
            await _ring_until(over, line)
        else:
            await _repeat_until(over, line, music)
        await line.until(over)
    finally:
        over.cancel()


async def _ring_until(over: asyncio.Future[None], line: "AriLine") -> None:
    channels = line.exchange.client.channels
    await line.told(channels.ring(line.id))
    await line.until(over)
    await let_go(channels.ring_stop(line.id))


async def _repeat_until(over: asyncio.Future[None], line: "AriLine", music: Prompt) -> None:
    """Play it again and again; once it cannot be played, the caller waits in silence."""
    loop = asyncio.get_running_loop()
    while not over.done():
        playback, began = playback_id(line.call_id), loop.time()
        await let_go(line.exchange.client.channels.set_channel_vars(line.id, playing(playback)))
        await _play_until(over, line, playback, music)
        if loop.time() - began < min(music.seconds, SHORTEST_SECONDS):
            return


async def _play_until(over: asyncio.Future[Any], line: "AriLine", playback: str, prompt: Prompt) -> None:
    """Play the prompt to its end, or until that is over."""
    client = line.exchange.client
    with line.exchange.dispatcher.expect((Kind.PLAYBACK, playback), PlaybackFinished) as finished:
        # Not interrupted: a playback can be stopped once Asterisk has it.
        await line.told(client.channels.play_with_id(line.id, playback, [media(prompt)]))
        either = asyncio.ensure_future(asyncio.wait({over, finished}, return_when=asyncio.FIRST_COMPLETED))
        try:
            with suppress(TimeoutError):
                await line.until(either, prompt.seconds + GRACE_SECONDS)
        finally:
            either.cancel()
        if not finished.done():
            await let_go(client.playbacks.stop(playback))


async def agrees(line: "AriLine") -> bool:
    """Does the caller press the key, before having thought about it for too long? Raises HungUp."""
    pressed = asyncio.ensure_future(line.keys.pressed(ANSWER_KEY))
    try:
        await line.until(pressed, ANSWER_SECONDS)
    except TimeoutError:
        return False
    finally:
        pressed.cancel()
    return True
