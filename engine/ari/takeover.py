"""Taking over one call that an earlier engine left, and channels that no engine has."""

from datetime import datetime

import structlog

from dialplan.result import Outcome
from engine.ari.arrival import Arrival
from engine.ari.exchange import Exchange, best_effort
from engine.ari.line import AriLine
from engine.ari.live import Live
from engine.ari.state import AppInfo, ChannelInfo
from engine.ari.waiting import outlast
from engine.call_journal import CallHandler
from engine.causes import Cause
from engine.line import Attempt, Returned
from journal.ids import OWN_CHANNEL_ID
from journal.state import CallState
from journal.values import Leg

log = structlog.get_logger()

# CEL reports the end of a channel within 8 ms in 99 of 100 cases: docs/decisions/013-cel-is-the-ledger.md.
CEL_SECONDS = 2.0


def listen(live: Live) -> None:
    """Receive the events of this call that Asterisk queued, before anything is awaited."""
    message = live.journal.state.message
    if message is not None:
        live.listening.enter_context(live.line.spooled(message.audio))


def line_of(exchange: Exchange, state: CallState) -> AriLine:
    """Return the line of a call that an earlier engine left, perhaps handed over."""
    line = AriLine(exchange, Arrival.of_journal(state))
    if state.handed_over is not None:
        line.hand_over.begin(len(state.handovers))
    return line


async def resume(live: Live, handle: CallHandler) -> None:
    """Continue a call at the step where its journal ends, on the route that it began with."""
    line, journal, state = live.line, live.journal, live.journal.state
    log.info("call_taken_over", handed_over=state.handed_over is not None)
    terms = await journal.services.terms_under(line.dialled, state.routing)
    if not line.hand_over.is_active and not line.is_over:
        await line.stop_playback()
    await handle(line, terms, journal)


async def look(line: AriLine, state: CallState, started: datetime, *, left_to_us: bool) -> None:
    """After an outage and once CEL has been read, compare the place of the call with its journal.

    A call in Stasis that an earlier engine handed over has come back to that engine, or was never sent on. A
    call without a channel ended with its Asterisk, before the present one `started`.
    """
    if line.is_over:
        return
    match await line.application():
        case None:
            # It may have ended just now, some milliseconds before CEL reports it.
            if started <= line.entered and await line.ends_within(CEL_SECONDS):
                return
            at = line.last_instant(started)
            line.lose(at)
            line.on_cel_end(at)  # CEL has no more events of it
        case "Stasis" if left_to_us:
            await outlast(line.exchange.client, line.id, _waits_since(line, state))
            if line.hand_over.is_active:
                _come_back(line, state)
        case "Stasis" | "":
            pass
        case _ if not line.hand_over.is_active:  # at the fallback
            line.end(line.exchange.last_known, Cause.NORMAL)


def _waits_since(line: AriLine, state: CallState) -> datetime:
    """Return when the caller came in, or came back from the last of the destinations."""
    return max((leg.ended for leg in state.legs.values() if leg.ended), default=line.entered)


def _come_back(line: AriLine, state: CallState) -> None:
    """Return the caller, with the legs in the journal. Without a leg, the caller was never sent on."""
    ring = state.handovers[-1]
    legs = [leg for leg in state.legs.values() if leg.began >= ring.at]
    if legs:
        attempts = tuple(map(_attempt, legs))
        line.hand_over.come_back(Returned(len(state.handovers), attempts, line.exchange.last_known))
    else:
        line.hand_over.end()


def _attempt(leg: Leg) -> Attempt:
    """The attempt according to the journal; a leg whose end was not read had no answer."""
    return Attempt(leg.leg_id, leg.to, leg.outcome or Outcome.NO_ANSWER, leg.cause or 0, leg.sip)


async def strays(exchange: Exchange, app: AppInfo, known: frozenset[str]) -> list[ChannelInfo]:
    """Return callers whose engine died before it journalled them. Hang up every other unknown channel."""
    callers = []
    for channel_id in set(app.channel_ids) - known:
        is_own = OWN_CHANNEL_ID.fullmatch(channel_id)
        channel = None if is_own else await exchange.client.channels.get(channel_id)
        if channel is not None:
            callers.append(channel)
            continue
        await best_effort(exchange.client.channels.hangup(channel_id))
        log.warning("stray_hung_up", channel=channel_id)
    return callers
