"""`ring`: ring destinations, and connect the first that answers."""

from collections.abc import Collection, Generator, Sequence
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from dialplan.destination import Destination
from dialplan.model import LIST, at_least_one, listed
from dialplan.period import Period
from dialplan.references import MusicSetting
from dialplan.result import Answer, Outcome, Result, Verdict, final, together
from dialplan.route import Branch, Steps
from dialplan.second_try import outcomes_in, refused_by
from dialplan.step import Draw, Facts, Plan, StepModel, Turn
from dialplan.strategy import (
    Strategy,
    are_open,
    are_reachable,
    check_strategy,
    longest_ringing,
    ordered,
    rung_twice,
    with_room,
)
from dialplan.walk import walk

MOST_AT_ONCE = 10
REMEMBER = timedelta(days=7)


def _check_count(to: tuple[Destination, ...]) -> tuple[Destination, ...]:
    if len(to) > MOST_AT_ONCE:
        raise ValueError(f"{len(to)} destinations at once; write at most {MOST_AT_ONCE}")
    return to


class Ring(StepModel):
    """Ring one or more destinations; the first to answer gets the call.

        - ring: +3221112233             with the usual 25 seconds
        - ring:
            to: [+32470111222, {number: +3221112233, present: service_number}]      1 to 10
            strategy: sticky            all, in_order, random, percent, round_robin, longest_idle or sticky
            remember: 7 days            of `sticky`: for how long a caller is remembered; 7 days
            seconds: 20                 5 to 120; one after another, each of them so long
            music: waiting              instead of ringing: prompts/waiting.mp3, again and again
            busy: [...]                 steps when busy, or rejected
            rejected: [...]             steps when a person or a network declined; otherwise those of `busy`
            no_answer: [...]            steps when nobody answered in time
            unreachable: [...]          steps when switched off, gone, or the attempt failed
            congested: [...]            steps when a network is overloaded (503); otherwise as unreachable

    A branch, once taken, is the rest of the route. Without one, the route goes on with the next step.

    `all` rings all at once; the others one after another, until one answers: `in_order` as written,
    `random` by chance, `round_robin` beginning with the one after that of the call before, `longest_idle`
    with the one that has had no conversation for longest, `sticky` with the one that talked with this caller
    last. A caller without a number is never remembered, and a restart of the engine forgets all callers.
    `percent` rings one, chosen so that of each 100 calls each destination gets exactly its `percent`. Calls
    are counted over restarts, on each node by itself. A destination may have settings of its own:

            - {number: +3221112233, label: reception, hours: mon-fri 09:00-17:00, seconds: 10}

    Outside its hours a destination is left out; where none is left the route goes on, as closed.

    A destination that could not be reached three times in a row (`unreachable_in_a_row` of the settings), on
    whatever number, is left out where there are others, and is tried again after 30 seconds, later every 15
    minutes. Busy, or without an answer, it can be reached.

    Music is a prompt like any other: one in the owner's language is preferred. The caller hears it before the
    call is answered, and pays nothing for it. It begins with the first ring, and continues in the next where
    it stopped. A caller who hears music does not hear what a destination's network announces before the
    answer.
    """

    alone: ClassVar = "to"

    step: Literal["ring"] = "ring"
    to: Annotated[
        tuple[Destination, ...],
        BeforeValidator(listed, Destination | tuple[Destination, ...]),
        LIST,
        AfterValidator(at_least_one),
        AfterValidator(_check_count),
        Field(examples=["[+3221112233]"]),
    ]
    seconds: Annotated[int, Field(ge=5, le=120)] = 25
    strategy: Annotated[Strategy, Field(validate_default=True)] = Strategy.ALL
    remember: Period | None = None
    music: MusicSetting | None = None
    busy: Branch = None
    rejected: Branch = None
    no_answer: Branch = None
    unreachable: Branch = None
    congested: Branch = None

    @field_validator("remember")
    @classmethod
    def _is_sticky(cls, remember: timedelta | None, info: ValidationInfo) -> timedelta | None:
        if remember is not None and info.data.get("strategy") not in (None, Strategy.STICKY):
            raise ValueError("means nothing here; write  strategy: sticky")
        return remember

    @field_validator("strategy")
    @classmethod
    def _goes_with_destinations(cls, strategy: Strategy, info: ValidationInfo) -> Strategy:
        if "to" in info.data and "seconds" in info.data:
            check_strategy(strategy, info.data["to"], info.data["seconds"])
        return strategy

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        rings = yield from self._rings(facts)
        if not rings:
            return Verdict(Result.CLOSED)
        outcomes = []
        for ring in rings:
            available = yield from with_room(ring.to, self.path)
            if not available:
                outcomes.append(Outcome.BUSY)
                continue
            tried = ring if len(available) == len(ring.to) else ring._of(*available)
            answer = yield tried
            outcomes += outcomes_in(answer)
            if refused := refused_by(answer):
                answer = yield tried._again(refused)
                outcomes += outcomes_in(answer)
            if answer is Outcome.TAKEN:
                return final(Verdict(Result.ANSWERED))
        outcome = together(outcomes)
        verdict = Verdict(outcome.result)
        branch = self._branch(outcome)
        return verdict if branch is None else final((yield from walk(branch, facts, verdict)))

    def _rings(self, facts: Facts) -> Generator[StepModel | Turn | Draw, Answer, "Sequence[Ring]"]:
        """What is rung, one after another: this step itself, or its destinations as steps of their own."""
        if (
            self.strategy is Strategy.ALL
            and not facts.unreachable
            and not any(destination.hours for destination in self.to)
        ):
            return (self,)
        ordered_to = yield from ordered(self.strategy, self.to, facts, self.path)
        open_to = yield from are_open(ordered_to, facts)
        reachable = yield from are_reachable(open_to, facts)
        if self.strategy is Strategy.ALL:
            return (self._of(*reachable),) if reachable else ()
        return tuple(self._of(destination) for destination in reachable)

    def _of(self, *to: Destination) -> "Ring":
        """This step with these destinations alone, rung at once."""
        seconds = to[0].seconds or self.seconds
        remember = (self.remember or REMEMBER) if self.strategy is Strategy.STICKY else self.remember
        changes = {"to": to, "seconds": seconds, "strategy": Strategy.ALL, "remember": remember}
        return self.model_copy(update=changes)

    def _again(self, refused: Collection[str]) -> "Ring":
        """This step with these destinations alone, each shown another number."""
        to = [
            destination.with_second_presentation() for destination in self.to if destination.number in refused
        ]
        return self._of(*to)

    @property
    def objection(self) -> str | None:
        return rung_twice(self.strategy, self.to)

    @property
    def ringing(self) -> int:
        return longest_ringing(self.strategy, self.to, self.seconds)

    @property
    def summary(self) -> str:
        music = f", with {self.music} instead of ringing" if self.music else ""
        return f"{', '.join(to.summary for to in self.to)} for {self.seconds} s{music}"

    def _branch(self, outcome: Outcome) -> Steps | None:
        match outcome:
            case Outcome.BUSY:
                return self.busy
            case Outcome.REJECTED:
                return self.busy if self.rejected is None else self.rejected
            case Outcome.NO_ANSWER:
                return self.no_answer
            case Outcome.CONGESTED:
                return self.unreachable if self.congested is None else self.congested
            case Outcome.UNREACHABLE | Outcome.FAILED:
                return self.unreachable
            case _:
                raise ValueError(f"{outcome} is not an outcome of ring")
