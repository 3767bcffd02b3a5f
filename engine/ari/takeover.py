"""Taking over what an engine left behind: calls of the journal, and channels that nobody knows."""

import re
from contextlib import ExitStack
from datetime import datetime

import structlog

from dialplan.result import Outcome
from engine.ari.arrival import journalled
from engine.ari.causes import Cause
from engine.ari.exchange import Exchange, let_go
from engine.ari.line import AriLine
from engine.ari.state import AppInfo, ChannelInfo
from engine.call import CallJournal
from engine.handle import handle
from engine.line import Attempt, Returned
from journal.ids import CALL
from journal.state import CallState
from journal.values import Leg

log = structlog.get_logger()

CEL_SECONDS = 2.0  # CEL's line comes 8 ms after a channel's end in 99 of 100 cases, decision 017
# Channels that we make: the whisper to a caller who leaves a message.
OURS = re.compile(f"{CALL}-[a-z]+[0-9]*", re.ASCII)


def listen(line: AriLine, journal: CallJournal, ears: ExitStack) -> None:
    """Hear what Asterisk had queued about this call, before anything is awaited."""
    message = journal.state.message
    if message is not None:
        ears.enter_context(line.spooled(message.audio))


def line_of(exchange: Exchange, state: CallState) -> AriLine:
    """The line of a call that an earlier engine has left, which may be handed over."""
    line = AriLine(exchange, journalled(state))
    if state.handed_over is not None:
        line.hand_over(len(state.handovers))
    return line


async def resume(line: AriLine, journal: CallJournal) -> None:
    """Go on with a call where the journal says it was, on the route that it began with."""
    state = journal.state
    log.info("call_taken_over", handed_over=state.handed_over is not None)
    terms = await journal.services.terms_under(line.dialled, state.routing)
    if not line.handed_over and not line.is_over:
        await line.hush()
    await handle(line, terms, journal)


async def look(line: AriLine, state: CallState, started: datetime, *, left_to_us: bool) -> None:
    """After an outage, CEL being read: is the call where its journal says it was?

    In Stasis, though an engine before us handed it over: it came back to that engine when it died, or was
    never sent on. Nowhere: it ended with the Asterisk before the present one, which `started` after that.
    """
    if line.is_over:
        return
    match await line.application():
        case None:
            # It may have ended this instant, a few milliseconds before CEL says so.
            if started <= line.entered and await line.ends_within(CEL_SECONDS):
                return
            at = last_instant(line, started)
            line.lose(at)
            line.told_over(at)  # CEL has no more of it
        case "Stasis" if line.handed_over and left_to_us:
            _came_back(line, state)
        case "Stasis" | "":
            pass
        case _ if not line.handed_over:  # at the fallback
            line.end(line.exchange.last_known, Cause.NORMAL)


def last_instant(line: AriLine, started: datetime) -> datetime:
    """The last at which a call can have lived whose Asterisk ended: the present one `started` after that."""
    known = line.exchange.last_known
    return min(known, started) if started > line.entered else known


def _came_back(line: AriLine, state: CallState) -> None:
    """With what the journal knows of the legs; without any leg, the caller was never sent on."""
    over = state.handovers[-1]
    legs = [leg for leg in state.legs.values() if leg.began >= over.at]
    if legs:
        line.back(Returned(len(state.handovers), tuple(map(_tried, legs)), line.exchange.last_known))
    else:
        line.not_handed_over()


def _tried(leg: Leg) -> Attempt:
    """An attempt as the journal knows it; one whose end was not read had no answer."""
    return Attempt(leg.leg_id, leg.to, leg.outcome or Outcome.NO_ANSWER, leg.cause or 0, leg.sip)


async def strays(exchange: Exchange, there: AppInfo, known: frozenset[str]) -> list[ChannelInfo]:
    """Callers nobody attends to, whose engine died before it wrote them down. Other channels are hung up."""
    callers = []
    for channel_id in set(there.channel_ids) - known:
        channel = None if OURS.fullmatch(channel_id) else await exchange.client.channels.get(channel_id)
        if channel is not None:
            callers.append(channel)
            continue
        await let_go(exchange.client.channels.hangup(channel_id))
        log.warning("stray_hung_up", channel=channel_id)
    return callers
