"""Rehearse a call: the walk of a live call, with supposed outcomes of the steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

from dialplan.expect import Expect
from dialplan.lists import Lists
from dialplan.number import ServiceNumber
from dialplan.result import Answer, Outcome, Result, counted
from dialplan.step import NO_LISTS, By, Case, Draw, Facts, Sort, StepModel, Turn


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The path of a rehearsed call: its turns, and its steps with their answers; and the result."""

    path: tuple[Turn | tuple[StepModel, Answer], ...]
    result: Result
    unused: tuple[Outcome, ...] = ()
    unused_presses: tuple[str, ...] = ()

    @property
    def hears(self) -> tuple[str, ...]:
        return tuple(prompt for step, _ in self.steps for prompt in step.prompts)

    @property
    def rings(self) -> tuple[str, ...]:
        return tuple(str(to) for step, _ in self.steps for to in step.destinations)

    @property
    def steps(self) -> Iterator[tuple[StepModel, Answer]]:
        return (part for part in self.path if not isinstance(part, Turn))


def rehearse(
    number: ServiceNumber,
    facts: Facts,
    outcomes: Sequence[Outcome] = (),
    *,
    nth: int = 1,
    presses: Sequence[str] = (),
    live: int = 0,
) -> Rehearsal:
    """Walk the number's route. `outcomes` and the others are those of a `dialplan.step.Case`."""
    case = Case(list(outcomes), nth, live, list(presses))
    path: list[Turn | tuple[StepModel, Answer]] = []
    plan = number.plan(facts)
    try:
        step = next(plan)
        while True:
            answer = _suppose(step, case)
            if isinstance(step, Turn):
                path.append(step)
            elif isinstance(step, StepModel):
                path.append((step, answer))
            step = plan.send(answer)
    except StopIteration as over:
        return Rehearsal(tuple(path), over.value.result, tuple(case.outcomes), tuple(case.presses))


def _suppose(step: StepModel | Turn | Draw, case: Case) -> Answer:
    match step:
        case Turn():
            return Outcome.DONE
        case Sort():
            return step.answered(_sorted(step, case))
        case Draw():
            return counted((case.nth - 1) % step.size + 1)
    return step.supposed(case)


def _sorted(sort: Sort, case: Case) -> Iterator[str]:
    """As written; a new caller; and where calls are limited, `live` of them are there."""
    if sort.by is By.IDLE:
        yield from sort.to
    elif sort.by is By.ROOM:
        yield from (to for to, most in zip(sort.to, sort.most, strict=True) if not most or case.live < most)


def disagreements(
    number: ServiceNumber, expect: Expect, lists: Lists = NO_LISTS
) -> Iterator[tuple[str, str]]:
    """The keys of `expect` that the route violates, each with the expected and the actual value."""
    now = expect.at.replace(tzinfo=number.zone).astimezone(UTC)
    facts = number.facts(now, expect.caller, lists, switches=expect.switch, unreachable=expect.unreachable)
    call = rehearse(number, facts, expect.outcomes, nth=expect.nth, presses=expect.presses, live=expect.live)
    for key in ("hears", "rings", "ends"):
        if (expected := getattr(expect, key)) is None:
            continue
        actual = call.result if key == "ends" else getattr(call, key)
        if actual != expected:
            yield key, f"expected {_listed(expected)}, got {_listed(actual)}"
    for name in expect.switch:
        if name not in number.switches:
            known = ", ".join(number.switches) or "none"
            yield "switch", f"the route has no switch `{name}`; it has: {known}"
    if call.unused_presses:
        menus = len(expect.presses) - len(call.unused_presses)
        yield (
            "presses",
            f"expected {len(expect.presses)} menus, got {menus}; write one entry for each menu heard",
        )
    if call.unused:
        rings = len(expect.outcomes) - len(call.unused)
        yield (
            "outcomes",
            f"expected {len(expect.outcomes)} rings, got {rings}; write one outcome for each ring made",
        )


def _listed(value: Result | tuple[str, ...]) -> str:
    return value.value if isinstance(value, Result) else f"[{', '.join(value)}]"
