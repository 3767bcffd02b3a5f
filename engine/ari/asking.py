"""Asking the caller for a key: a prompt, which the first key ends, and some seconds to think after it."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from dialplan.prompt import Prompt
from engine.ari.events import Kind, PlaybackFinished
from engine.ari.exchange import let_go, media
from engine.ari.playing import GRACE_SECONDS
from engine.line import ANSWER_SECONDS, Key
from engine.notice import ANSWER_KEY

if TYPE_CHECKING:
    from engine.ari.line import AriLine


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


async def _play_until(pressed: asyncio.Future[Key], line: "AriLine", playback: str, prompt: Prompt) -> None:
    """Play the prompt to its end, or until a key is pressed."""
    client = line.exchange.client
    with line.exchange.dispatcher.expect((Kind.PLAYBACK, playback), PlaybackFinished) as finished:
        # Not interrupted: a playback can be stopped once Asterisk has it.
        await line.told(client.channels.play_with_id(line.id, playback, [media(prompt)]))
        either = asyncio.ensure_future(asyncio.wait({pressed, finished}, return_when=asyncio.FIRST_COMPLETED))
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
