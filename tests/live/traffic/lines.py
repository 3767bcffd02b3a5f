"""A process of telephones: some lines, each with one call after the other, and their destinations."""

import asyncio
import multiprocessing
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event

from devkit.audio import level
from tests.live.mails import BEEP_HZ, from_alaw
from tests.live.traffic.agent import Agent
from tests.live.traffic.calls import Caller, Destination
from tests.live.traffic.script import Line, Plan, Script
from tests.live.traffic.seen import FRAME_SECONDS, LegSeen, Seen, Span, longest_silence

TALKS = (1.0, 6.0)  # s
LITTLE_PATIENCE = (0.5, 4.0)  # s until a caller gives up who is to
PRESSES_AFTER, PRESSES_EVERY, PRESSES = 1.0, 1.0, 12  # s; the caller who consents
PAUSES = (0.5, 2.0)  # s
ENDS = 10.0  # s in which all telephones of a call learn that it is over
LEG_LATE = 0.1  # s
QUICKLY_OVER = 0.5  # s: there may be no time to say anything
AUDIBLE = 0.05
STAGGERED = 0.1  # s between the lines' first calls

_over: Event


@dataclass(frozen=True)
class Report:
    """What the telephones of a process saw. `late`: their timer, s, at most. `dropped`: packets missed.
    `strays`: what none of them expected."""

    seen: tuple[Seen, ...]
    late: float
    dropped: int
    strays: tuple[str, ...]


def hold(over: Event) -> None:
    """Of a process: it calls until that is set."""
    global _over  # noqa: PLW0603 - a pool gives its processes an event in no other way
    _over = over


def carry(plan: Plan) -> Report:
    """Carry the calls of these lines until it is over."""
    return asyncio.run(_carry(plan))


async def _carry(plan: Plan) -> Report:
    async with telephones(plan) as agent:
        dice = random.Random(plan.seed)
        calls = (
            keep_calling(agent, line, index * STAGGERED, random.Random(dice.random()), plan.patience)
            for index, line in enumerate(plan.lines)
        )
        seen = [it for line in await asyncio.gather(*calls) for it in line]
        return Report(tuple(seen), agent.media.latest, agent.dropped, tuple(agent.strays))


@asynccontextmanager
async def telephones(plan: Plan) -> AsyncIterator[Agent]:
    """Those of this process; it ends with the one that started it."""
    parent, loop = multiprocessing.parent_process(), asyncio.get_running_loop()
    assert parent is not None
    loop.add_reader(parent.sentinel, os._exit, 1)
    agent = Agent(plan.asterisk, plan.exchange, plan.manners)
    loop.set_exception_handler(lambda _, context: agent.strays.append(str(context)))
    try:
        async with asyncio.TaskGroup() as group:
            timer = group.create_task(agent.media.speak())
            agent.report(plan.index)
            yield agent
            timer.cancel()
    finally:
        agent.close()
        loop.remove_reader(parent.sentinel)


async def keep_calling(
    agent: Agent, line: Line, after: float, dice: random.Random, patience: float
) -> list[Seen]:
    """One call after the other, to each of the line's numbers in turn, until it is over."""
    await asyncio.sleep(after)  # as the script has it
    seen: list[Seen] = []
    while True:
        for number, script in dice.sample(list(line.scripts.items()), len(line.scripts)):
            if _over.is_set():
                return seen
            caller = agent.dial(number, line.who)
            talked = await call(caller, script, dice, patience)
            seen.append(seen_of(caller, talked, script, number, line.who))


async def call(caller: Caller, script: Script, dice: random.Random, patience: float) -> Destination | None:
    """From the INVITE until nobody has it any more; who talked with the caller."""
    consenting = asyncio.create_task(consent(caller)) if script.consents else None
    patience = dice.uniform(*LITTLE_PATIENCE) if script.gives_up else patience
    talked = None
    if await caller.until(lambda: caller.answered or caller.over, patience) and caller.answered:
        talked = next((leg for leg in caller.legs if leg.answered and leg.over is None), None)
        await talk(caller, talked, script, dice)
    else:
        caller.hang_up()
    if consenting is not None:
        consenting.cancel()
    await asyncio.sleep(LEG_LATE)  # a leg that Asterisk began as the caller hung up arrives by now
    for end in (caller, *caller.legs):
        await end.until_over(ENDS)
    # Who was leaving a message when the engine died talks with the fallback afterwards.
    at_fallback = (leg for leg in caller.legs if leg.manner.fallback and leg.answered and caller.answered)
    return talked or next(at_fallback, None)


async def consent(caller: Caller) -> None:
    """Press 1 now and then, until a destination rings."""
    for n in range(PRESSES):
        gone = await caller.until(lambda: caller.legs or caller.over, PRESSES_EVERY if n else PRESSES_AFTER)
        if gone:
            return
        caller.stream.press("1")


async def talk(caller: Caller, other: Destination | None, script: Script, dice: random.Random) -> None:
    """For a while, with a pause of the recording where the script says so; then one of the two hangs up."""
    if script.pauses and other is not None:
        for seconds in (dice.uniform(*PAUSES), dice.uniform(*PAUSES)):
            await caller.until_over(seconds)
            other.stream.press("*1")
    await caller.until_over(dice.uniform(*TALKS))
    dice.choice([caller, other or caller]).hang_up()


def seen_of(caller: Caller, other: Destination | None, script: Script, number: str, who: str) -> Seen:
    ends = [end.over for end in (caller, other) if end is not None and end.over is not None]
    ended = min((over.at for over in ends), default=None)
    silences = (0.0, 0.0)
    if other is not None and caller.answered and ended:
        silences = silence(other, caller, ended), silence(caller, other, ended)
    return Seen(
        script=script.name,
        before=script.before,
        number=number,
        who=who,
        began=caller.began,
        answered=caller.answered,
        ended=ended,
        ended_by=ended_by(caller, other),
        to=other.number if other else "",
        caller_silence=silences[0],
        destination_silence=silences[1],
        sounds=spans(caller),
        keys=tuple(other.stream.pressed) if other else (),
        legs=tuple(map(leg_of, caller.legs)),
        voices=(caller.stream.name, other.stream.name if other else 0),
        spoken=spoken(caller),
        shares=(share(caller, other, ended), share(other, caller, ended)),
    )


def spoken(caller: Caller) -> float:
    """How long the caller spoke after the beep, if that was the last thing that they heard."""
    recent = from_alaw(b"".join(caller.stream.recent))
    if not caller.stream.sounds or level(recent, BEEP_HZ) < AUDIBLE:
        return 0.0
    heard = caller.stream.sounds[-1][1]
    return sum(at > heard for at in caller.stream.said) * FRAME_SECONDS


def share(
    speaker: Caller | Destination | None, other: Caller | Destination | None, ended: float | None
) -> float:
    """The part of the talk in which the speaker's packets were sent."""
    if speaker is None or other is None or ended is None:
        return 1.0
    began = max(speaker.answered or 0.0, other.answered or 0.0)
    if ended - began < QUICKLY_OVER:
        return 1.0
    return min(sum(began < at < ended for at in speaker.stream.said) * FRAME_SECONDS / (ended - began), 1.0)


def silence(speaker: Caller | Destination, hearer: Caller | Destination, ended: float) -> float:
    """How long the one did not hear the other, at most, once the caller was answered."""
    talk = max(speaker.answered or 0.0, hearer.answered or 0.0), ended
    said, heard = speaker.stream.said, hearer.stream.heard.get(speaker.stream.name, [])
    if talk[1] - talk[0] > QUICKLY_OVER and not any(talk[0] < at < talk[1] for at in said):
        last = f"last said at {said[-1]:.3f}" if said else "never said anything"
        who = f"{type(speaker).__name__}, answered {speaker.answered}, over {speaker.over}, {last}"
        raise RuntimeError(f"a telephone said nothing in {talk}, so nothing is measured: {who}")
    return longest_silence(said, heard, talk)


def ended_by(caller: Caller, other: Destination | None) -> str:
    if caller.over is not None and caller.over.by_us:
        return "caller"
    return "destination" if other is not None and other.over is not None and other.over.by_us else ""


def leg_of(leg: Destination) -> LegSeen:
    over = leg.over
    return LegSeen(
        to=leg.number,
        began=leg.began,
        ringing=leg.ringing,
        answered=leg.answered,
        ended=over.at if over else None,
        how=over.how if over else "",
        early=leg.manner.early,
        fallback=leg.manner.fallback,
        sounds=spans(leg),
        crossed=leg.crossed,
    )


def spans(end: Caller | Destination) -> tuple[Span, ...]:
    return tuple((first, last) for first, last in end.stream.sounds)
