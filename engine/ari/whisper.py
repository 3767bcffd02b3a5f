"""Play a prompt to a caller who leaves a message: while the channel is recorded it takes no other command.

A snoop channel whispers the prompt to the caller. The message does not contain it (measured: -64 dB).
"""

import asyncio

import structlog

from dialplan.prompt import Prompt
from engine.ari.errors import AriError
from engine.ari.events import Kind, PlaybackFinished, StasisStart
from engine.ari.exchange import Exchange, best_effort, media
from journal.ids import whisper_id, whisper_playback_id

log = structlog.get_logger()

GRACE_SECONDS = 1.0


async def whisper(exchange: Exchange, channel_id: str, call_id: str, prompt: Prompt, times: int) -> None:
    """Play the prompt so many times, to the caller only. If that fails, the call goes on without it."""
    snoop = whisper_id(call_id)
    try:
        await _play(exchange, channel_id, snoop, prompt, times)
    except (AriError, TimeoutError) as error:
        log.warning("whisper_failed", error=str(error) or "the playback did not end")
    finally:
        if not exchange.detached:
            await best_effort(exchange.client.channels.hangup(snoop))


async def _play(exchange: Exchange, channel_id: str, snoop: str, prompt: Prompt, times: int) -> None:
    dispatcher, channels = exchange.dispatcher, exchange.client.channels
    playback = whisper_playback_id(snoop)
    with (
        dispatcher.expect((Kind.CHANNEL, snoop), StasisStart) as entered,
        dispatcher.expect((Kind.PLAYBACK, playback), PlaybackFinished) as finished,
    ):
        await channels.snoop_channel_with_id(
            channel_id, snoop, app=exchange.app, app_args="whisper", whisper="out"
        )
        await asyncio.wait_for(entered, GRACE_SECONDS)
        await channels.play_with_id(snoop, playback, [media(prompt)] * times)
        await asyncio.wait_for(finished, prompt.seconds * times + GRACE_SECONDS)
