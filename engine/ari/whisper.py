"""Say something to a caller who leaves a message: while it is recorded the channel takes no other command.

A snoop channel whispers it into what the caller hears. Nothing of it is in the message (measured: -64 dB).
"""

import asyncio
from typing import TYPE_CHECKING

import structlog

from dialplan.prompt import Prompt
from engine.ari.errors import AriError
from engine.ari.events import Kind, PlaybackFinished, StasisStart
from engine.ari.exchange import let_go, media

if TYPE_CHECKING:
    from engine.ari.line import AriLine

log = structlog.get_logger()

GRACE_SECONDS = 1.0


async def whisper(line: "AriLine", prompt: Prompt, times: int) -> None:
    """Play the prompt so many times, to the caller alone. Where that fails, the call goes on without."""
    snoop = f"{line.call_id}-w1"
    exchange = line.exchange
    try:
        await _play(line, snoop, prompt, times)
    except (AriError, TimeoutError) as trouble:
        log.warning("whisper_failed", error=str(trouble) or "it did not come to its end")
    finally:
        if not exchange.detached:
            await let_go(exchange.client.channels.hangup(snoop))


async def _play(line: "AriLine", snoop: str, prompt: Prompt, times: int) -> None:
    dispatcher, channels = line.exchange.dispatcher, line.exchange.client.channels
    playback = f"{snoop}-p1"
    with (
        dispatcher.expect((Kind.CHANNEL, snoop), StasisStart) as entered,
        dispatcher.expect((Kind.PLAYBACK, playback), PlaybackFinished) as finished,
    ):
        await channels.snoop_channel_with_id(
            line.id, snoop, app=line.exchange.app, app_args="whisper", whisper="out"
        )
        await asyncio.wait_for(entered, GRACE_SECONDS)
        await channels.play_with_id(snoop, playback, [media(prompt)] * times)
        await asyncio.wait_for(finished, prompt.seconds * times + GRACE_SECONDS)
