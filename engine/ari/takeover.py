"""Taking over what an engine left behind: calls of the journal, and channels that nobody knows."""

import re
from contextlib import ExitStack

import structlog

from engine.ari.exchange import Exchange, let_go
from engine.ari.line import AriLine
from engine.ari.state import AppInfo, ChannelInfo
from engine.call import CallJournal
from engine.handle import handle
from journal.ids import CALL

log = structlog.get_logger()

# Channels that we make: the whisper to a caller who leaves a message.
OURS = re.compile(f"{CALL}-[a-z]+[0-9]*", re.ASCII)


def listen(line: AriLine, journal: CallJournal, ears: ExitStack) -> None:
    """Hear what Asterisk had queued about this call, before anything is awaited."""
    state = journal.state
    if state.message is not None:
        ears.enter_context(line.spooled(state.message.audio))
    if state.handed_over is not None:
        line.hand_over(len(state.handovers))


async def resume(line: AriLine, journal: CallJournal) -> None:
    """Go on with a call where the journal says it was, on the route that it began with."""
    state = journal.state
    log.info("call_taken_over", handed_over=state.handed_over is not None)
    agreed = await journal.desk.agreed_under(line.dialled, state.routing)
    if not line.handed_over:
        await line.hush()
    await handle(line, agreed, journal)


async def strays(exchange: Exchange, there: AppInfo, known: frozenset[str]) -> list[ChannelInfo]:
    """Callers nobody attends to, whose engine died before it wrote them down. Other channels are hung up."""
    callers = []
    for channel_id in set(there.channel_ids) - known:
        channel = None if OURS.fullmatch(channel_id) else await exchange.client.channels.get(channel_id)
        if channel is not None:
            callers.append(channel)
            continue
        log.warning("stray_hung_up", channel=channel_id)
        await let_go(exchange.client.channels.hangup(channel_id))
    return callers
