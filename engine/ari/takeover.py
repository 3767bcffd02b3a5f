"""Taking over what an engine left behind: calls of the journal, and channels that nobody knows."""

import asyncio
import re
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import structlog

from dialplan.result import Outcome
from engine.ari.causes import Cause
from engine.ari.exchange import Exchange, let_go
from engine.ari.leg import AriLeg
from engine.ari.line import AriLine
from engine.ari.state import AppInfo, ChannelInfo
from engine.call import Call, Desk
from engine.handle import resume, turn_away
from journal.entries import Entry
from journal.state import fold

log = structlog.get_logger()

CALL_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
OUR_LEG = re.compile(f"{CALL_ID}-[a-z]+[0-9]*", re.ASCII)
OUR_BRIDGE = re.compile(f"(?P<call>{CALL_ID})-br", re.ASCII)


def take_over(
    line: AriLine, entries: Sequence[Entry], desk: Desk, ears: ExitStack
) -> Coroutine[Any, Any, None]:
    """The work that goes on with a call where the journal says it was.

    Its legs and its recording are listened to before this returns: what Asterisk had queued about them is
    theirs to hear.
    """
    agreed = desk.agreed(line.dialled)
    record = fold(entries)
    if agreed is None or record is None:
        return turn_away(line, desk)
    call = Call(line, agreed, desk)
    call.remember(entries)
    if call.answered is not None:
        call.spent = datetime.now(UTC) - call.answered
    if call.message_begun:
        ears.enter_context(line.spooled(call.message_id))
    if call.is_recorded:
        ears.enter_context(line.taped(call.recording_id))
    line.take_over(len(record.legs))
    legs = [ears.enter_context(line.old_leg(leg, call)) for leg in record.legs if not leg.ended]
    talking = next((leg for leg in legs if leg.up.done()), None)
    performed = [Outcome(entry["outcome"]) for entry in entries if entry["kind"] == "step"]
    return _go_on(line, call, performed, talking, [leg for leg in legs if leg is not talking])


async def _go_on(
    line: AriLine, call: Call, performed: Sequence[Outcome], talking: AriLeg | None, others: Sequence[AriLeg]
) -> None:
    log.info("call_taken_over", talking=talking is not None)
    await asyncio.gather(*(leg.let_go(Cause.NORMAL) for leg in others))
    if call.answered is None or talking is None:
        await line.hush(talking)
    line.bridge.adopt()
    await resume(call, performed, talking)


async def strays(
    exchange: Exchange, there: AppInfo, channels: frozenset[str], calls: frozenset[str]
) -> list[ChannelInfo]:
    """Callers nobody attends to, whose engine died before it wrote them down.

    Legs, snoops, ghosts and bridges that belong to none of our `channels` and `calls` are let go.
    """
    callers = []
    for channel_id in set(there.channel_ids) - channels:
        channel = None if OUR_LEG.fullmatch(channel_id) else await exchange.client.channels.get(channel_id)
        if channel is not None:
            callers.append(channel)
            continue
        log.warning("stray_let_go", channel=channel_id)
        await let_go(exchange.client.channels.hangup(channel_id))
    for bridge in await exchange.client.bridges.list():  # an empty one is in no application
        ours = OUR_BRIDGE.fullmatch(bridge.id)
        if ours and ours["call"] not in calls:
            await let_go(exchange.client.bridges.destroy(bridge.id))
    return callers
