"""`ring`: let somebody's telephone ring."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from dialplan.destination import Destination
from dialplan.model import at_least_one
from dialplan.references import MusicSetting
from dialplan.result import Answer, Outcome, Result, Verdict, final
from dialplan.route import Branch, Steps
from dialplan.step import Facts, Plan, StepModel
from dialplan.walk import walk

MOST_AT_ONCE = 10


def _listed(written: Any) -> Any:
    return written if isinstance(written, list) else [written]


def _check_count(to: tuple[Destination, ...]) -> tuple[Destination, ...]:
    if len(to) > MOST_AT_ONCE:
        raise ValueError(f"{len(to)} destinations at once; write at most {MOST_AT_ONCE}")
    return to


class Ring(StepModel):
    """Ring one or more destinations at once; the first to answer gets the call.

        - ring: +3221112233                     with the usual 25 seconds
        - ring:
            to: [+32470111222, {number: +3221112233, present: service_number}]      1 to 10
            seconds: 20                         5 to 120
            music: waiting                      instead of ringing: prompts/waiting.mp3, again and again
            busy: [...]                         steps when busy, or rejected
            no_answer: [...]                    steps when nobody answered in time
            unreachable: [...]                  steps when switched off, gone, or the attempt failed

    A branch, once taken, is the rest of the route. Without one, the route goes on with the next step.

    Music is a prompt like any other: one in the owner's language is preferred. The caller hears it before the
    call is answered, and pays nothing for it. It begins with the first ring, and goes on where it stopped in
    the next. A caller who hears music does not hear what a destination's network announces before it answers.
    """

    alone: ClassVar = "to"

    step: Literal["ring"] = "ring"
    to: Annotated[
        tuple[Destination, ...],
        BeforeValidator(_listed),
        AfterValidator(at_least_one),
        AfterValidator(_check_count),
        Field(examples=["[+3221112233]"]),
    ]
    seconds: Annotated[int, Field(ge=5, le=120)] = 25
    music: MusicSetting | None = None
    busy: Branch = None
    no_answer: Branch = None
    unreachable: Branch = None

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        outcome = yield self
        if outcome is Outcome.TAKEN:
            return final(Verdict(Result.ANSWERED))
        verdict = Verdict(Result(outcome))
        branch = self._branch(outcome)
        return verdict if branch is None else final((yield from walk(branch, facts, verdict)))

    @property
    def summary(self) -> str:
        music = f", with {self.music} instead of ringing" if self.music else ""
        return f"{', '.join(to.summary for to in self.to)} for {self.seconds} s{music}"

    def _branch(self, outcome: Answer) -> Steps | None:
        match outcome:
            case Outcome.BUSY | Outcome.REJECTED:
                return self.busy
            case Outcome.NO_ANSWER:
                return self.no_answer
            case Outcome.UNREACHABLE | Outcome.FAILED:
                return self.unreachable
            case _:
                raise ValueError(f"{outcome} cannot come of ring")
