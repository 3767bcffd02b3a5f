"""Playing a prompt to a caller, to its end.

The id of the playback is written on the channel: the next engine stops it before it plays anything itself.
"""

from datetime import datetime

from dialplan.prompt import Prompt
from engine.ari.channel import Channel
from engine.ari.errors import AriError
from engine.ari.events import Kind, PlaybackFinished, PlaybackStarted
from engine.ari.exchange import Exchange, best_effort, media
from engine.ari.lease import leased
from journal.ids import playback_id

# The channel variable with the id of the latest playback.
PLAYBACK = "PLAYBACK"
# PlaybackFinished may never come (a missing recording): wait so much longer than the prompt lasts.
GRACE_SECONDS = 5.0


async def play(
    exchange: Exchange, channel: Channel, call_id: str, prompt: Prompt
) -> tuple[datetime, datetime] | None:
    """Return when the prompt began and when it ended; None if it was not played.

    Raises HungUp when the caller leaves first. The lease is renewed before the prompt: while that is played,
    the channel takes no other command.
    """
    playback = playback_id(call_id)
    start = await leased(exchange, channel.id, prompt.seconds, **{PLAYBACK: playback})
    await start.channels.play_with_id(channel.id, playback, [media(prompt)])
    expect, subject = exchange.dispatcher.expect, (Kind.PLAYBACK, playback)
    with expect(subject, PlaybackStarted) as began, expect(subject, PlaybackFinished) as finished:
        await channel.command(start.carry_out())
        try:
            event = await channel.until(finished, prompt.seconds + GRACE_SECONDS)
        except TimeoutError:
            await best_effort(exchange.client.playbacks.stop(playback))
            return None
    if event.playback.state != "done" or not began.done():
        await channel.perhaps_hung_up()
        return None
    return began.result().at, event.at


async def stop_playback(exchange: Exchange, channel: Channel) -> None:
    """Stop the playback that an earlier engine began: ours would wait for its end."""
    try:
        playback = await exchange.client.channels.get_channel_var(channel.id, PLAYBACK)
    except AriError:  # there was no playback, or the channel has ended
        return
    await best_effort(exchange.client.playbacks.stop(playback))
