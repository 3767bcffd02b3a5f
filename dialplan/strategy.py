"""Strategies: which destinations of a ring are rung, and in which order."""

from collections.abc import Generator, Sequence
from enum import StrEnum
from hashlib import sha256

from dialplan.destination import Destination
from dialplan.result import Answer
from dialplan.spread import WHOLE, check_percents, spread
from dialplan.step import By, Draw, Facts, Sort, StepModel, StepPath, Turn, chosen, drawn

LEAST_RINGING = 5  # seconds of a destination that rings later than the others
LONGEST_RINGING = 300  # seconds in which destinations ring one after another


class Strategy(StrEnum):
    """How the destinations of a ring are rung."""

    ALL = "all"
    IN_ORDER = "in_order"
    RANDOM = "random"
    PERCENT = "percent"
    ROUND_ROBIN = "round_robin"
    LONGEST_IDLE = "longest_idle"
    STICKY = "sticky"


def check_strategy(strategy: Strategy, to: Sequence[Destination], seconds: int) -> None:
    """Raise ValueError if the settings of the destinations do not fit the strategy."""
    if strategy is Strategy.ALL and any(destination.seconds for destination in to):
        raise ValueError(
            "`seconds` of a destination means nothing where all ring at once; write  strategy: in_order, "
            "or one `seconds` for the ring"
        )
    _check_delays(strategy, to, seconds)
    if strategy is Strategy.PERCENT:
        _check_percents(to)
        return
    if any(destination.percent for destination in to):
        raise ValueError("`percent` of a destination means nothing here; write  strategy: percent")
    if (ringing := longest_ringing(strategy, to, seconds)) > LONGEST_RINGING:
        raise ValueError(
            f"they ring for {ringing} seconds one after another; make it {LONGEST_RINGING} at most"
        )


def rung_twice(strategy: Strategy, to: Sequence[Destination]) -> str | None:
    """Return that a destination would ring twice at once, and the remedy."""
    numbers = numbers_of(to)
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if strategy is not Strategy.ALL or twice is None:
        return None
    return f"{twice} would ring twice at once; write it once, or  strategy: in_order"


def longest_ringing(strategy: Strategy, to: Sequence[Destination], seconds: int) -> int:
    """Return for how many seconds the destinations ring, if none of them answers."""
    each = [destination.seconds or seconds for destination in to]
    return max(each) if strategy in (Strategy.ALL, Strategy.PERCENT) else sum(each)


def _check_delays(strategy: Strategy, to: Sequence[Destination], seconds: int) -> None:
    longest = max(destination.delay or 0 for destination in to)
    if longest and strategy is not Strategy.ALL:
        raise ValueError(
            "`delay` means nothing where destinations ring one after another; write  strategy: all"
        )
    if longest and all(destination.delay for destination in to):
        raise ValueError("each destination has a `delay`, so none would ring at first; leave one without it")
    if longest + LEAST_RINGING > seconds:
        raise ValueError(
            f"a destination with  delay: {longest}  would ring for {max(seconds - longest, 0)} of {seconds} "
            f"seconds; write  seconds: {longest + LEAST_RINGING}  or more, or a shorter delay"
        )


def _check_percents(to: Sequence[Destination]) -> None:
    if not all(destination.percent for destination in to):
        raise ValueError("a destination has no part of the calls; write  percent: 50  at each of them")
    if any(destination.hours for destination in to):
        raise ValueError(
            "`hours` of a destination would make the percentages wrong; write a step `hours` before"
        )
    check_percents([destination.percent or 0 for destination in to])


def ordered(
    strategy: Strategy, to: Sequence[Destination], facts: Facts, path: StepPath
) -> Generator[StepModel | Turn | Draw, Answer, Sequence[Destination]]:
    """Return the destinations in the order in which they ring; a `Turn` gives the reason."""
    match strategy:
        case Strategy.RANDOM:
            shuffled = sorted(to, key=lambda destination: chance(facts.call_id, path, destination.number))
            yield Turn("ring", f"by chance: {_named(shuffled)}")
            return shuffled
        case Strategy.PERCENT:
            count = drawn((yield Draw("ring", path, WHOLE)), WHOLE)
            target = to[spread(tuple(destination.percent or 0 for destination in to))[count]]
            yield Turn("ring", f"call {count + 1} of each {WHOLE}: {target.summary}, {target.percent} %")
            return (target,)
        case Strategy.ROUND_ROBIN:
            first = drawn((yield Draw("ring", path, len(to))), len(to))
            rotated = (*to[first:], *to[:first])
            yield Turn("ring", f"in turn: {_named(rotated)}")
            return rotated
        case Strategy.LONGEST_IDLE:
            numbers = chosen((yield Sort("ring", path, len(to), By.IDLE, numbers_of(to))))
            idle = sorted(to, key=lambda destination: numbers.index(destination.number)) if numbers else to
            yield Turn("ring", f"longest without a conversation first: {_named(idle)}")
            return idle
        case Strategy.STICKY:
            return (yield from _known_first(to, facts, path))
    return to


def _known_first(
    to: Sequence[Destination], facts: Facts, path: StepPath
) -> Generator[StepModel | Turn | Draw, Answer, Sequence[Destination]]:
    """Return the destinations, first the one that last talked with this caller."""
    if facts.caller.number is None:
        yield Turn("ring", "as written: the caller has no number")
        return to
    numbers = chosen((yield Sort("ring", path, len(to), By.CALLER, numbers_of(to))))
    known = [destination for destination in to if destination.number in (numbers or ())]
    first = f"{_named(known)} first, which talked with this caller" if known else "as written: a new caller"
    yield Turn("ring", first)
    return (*known, *(destination for destination in to if destination not in known))


def numbers_of(to: Sequence[Destination]) -> tuple[str, ...]:
    return tuple(destination.number for destination in to)


def with_room(
    to: Sequence[Destination], path: StepPath
) -> Generator[StepModel | Turn | Draw, Answer, Sequence[Destination]]:
    """Return the destinations that have room for another call; a `Turn` names each of the others."""
    most = tuple(destination.max_calls or 0 for destination in to)
    if not any(most):
        return to
    numbers = chosen((yield Sort("ring", path, len(to), By.ROOM, numbers_of(to), most)))
    available = (
        to if numbers is None else [destination for destination in to if destination.number in numbers]
    )
    for destination in to:
        if destination not in available:
            yield Turn("ring", f"without {destination.summary}: as many calls as it may have")
    return available


def chance(call_id: str, path: StepPath, number: str) -> str:
    """Return a sort key that is random, but the same whenever the route of this call is walked again.

    In a rehearsal, which has no call, it keeps the order of the file.
    """
    return sha256(f"{call_id} {path} {number}".encode()).hexdigest() if call_id else ""


def are_open(
    to: Sequence[Destination], facts: Facts
) -> Generator[StepModel | Turn | Draw, Answer, Sequence[Destination]]:
    """Return the destinations that ring at this hour; a `Turn` gives the reason for each of the others."""
    open_now = []
    for destination in to:
        moment = destination.hours.at(facts.now, facts.zone, facts.calendar) if destination.hours else None
        if moment is None or moment.open:
            open_now.append(destination)
        else:
            yield Turn("ring", f"without {destination.summary}: {moment.why}")
    return open_now


def are_reachable(
    to: Sequence[Destination], facts: Facts
) -> Generator[StepModel | Turn | Draw, Answer, Sequence[Destination]]:
    """Return the destinations without those that could not be reached lately; all if none would be left."""
    reachable = [destination for destination in to if destination.number not in facts.unreachable]
    if not reachable or len(reachable) == len(to):
        return to
    for destination in to:
        if destination not in reachable:
            yield Turn("ring", f"without {destination.summary}: not reachable lately")
    return reachable


def _named(to: Sequence[Destination]) -> str:
    return ", ".join(destination.summary for destination in to)
