"""Playing a prompt to a leg, to its end.

What plays is written on the channel: the next engine stops it, before it says anything itself.
"""

from datetime import datetime
from secrets import token_hex

from dialplan.prompt import Prompt
from engine.ari.channel import Channel
from engine.ari.errors import AriError
from engine.ari.events import Kind, PlaybackFinished, PlaybackStarted
from engine.ari.exchange import Exchange, let_go, media

# The variable of a channel that tells what was played to it last.
PLAYBACK = "PLAYBACK"
# Asterisk's PlaybackFinished may never come (a missing recording): the prompt's length and this much more.
GRACE_SECONDS = 5.0


def playback_id(name: str) -> str:
    """An id that no earlier engine has used: the end of what that one played is not the end of ours."""
    return f"{name}-p{token_hex(4)}"


def playing(playback: str) -> dict[str, str]:
    """The variables of a leg that is being played this; of one that is not, none."""
    return {PLAYBACK: playback} if playback else {}


async def play(
    exchange: Exchange, channel: Channel, playback: str, prompt: Prompt
) -> tuple[datetime, datetime] | None:
    """When it began and when it ended; None if it was not played. Raises HungUp when the leg ends first."""
    expect, subject = exchange.dispatcher.expect, (Kind.PLAYBACK, playback)
    with expect(subject, PlaybackStarted) as began, expect(subject, PlaybackFinished) as finished:
        play_with_id = exchange.client.channels.play_with_id
        await channel.told(play_with_id(channel.id, playback, [media(prompt)]))
        try:
            event = await channel.until(finished, prompt.seconds + GRACE_SECONDS)
        except TimeoutError:
            await let_go(exchange.client.playbacks.stop(playback))
            return None
    if event.playback.state != "done" or not began.done():
        await channel.perhaps_hung_up()
        return None
    return began.result().at, event.at


async def hush(exchange: Exchange, channel: Channel) -> None:
    """Stop what an earlier engine has left playing to this leg: what we play would wait for its end."""
    try:
        playback = await exchange.client.channels.get_channel_var(channel.id, PLAYBACK)
    except AriError:  # nothing was ever played, or the leg has gone
        return
    await let_go(exchange.client.playbacks.stop(playback))
