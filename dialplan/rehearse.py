"""Rehearse a call: the walk of a live call, with supposed outcomes of the steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

from dialplan.expect import Expect
from dialplan.number import ServiceNumber
from dialplan.result import Outcome, Result
from dialplan.step import Facts, StepModel, Turn


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The path of a rehearsed call: its turns, and its steps with their outcomes; and the result."""

    path: tuple[Turn | tuple[StepModel, Outcome], ...]
    result: Result
    unused: tuple[Outcome, ...] = ()

    @property
    def hears(self) -> tuple[str, ...]:
        return tuple(prompt for step, _ in self.steps for prompt in step.prompts)

    @property
    def rings(self) -> tuple[str, ...]:
        return tuple(str(to) for step, _ in self.steps for to in step.destinations)

    @property
    def steps(self) -> Iterator[tuple[StepModel, Outcome]]:
        return (part for part in self.path if not isinstance(part, Turn))


def rehearse(number: ServiceNumber, facts: Facts, outcomes: Sequence[Outcome] = ()) -> Rehearsal:
    """Walk the number's route. `outcomes`: those of the rings in order, then `taken`."""
    left = list(outcomes)
    path: list[Turn | tuple[StepModel, Outcome]] = []
    plan = number.plan(facts)
    try:
        step = next(plan)
        while True:
            outcome = _suppose(step, left)
            path.append(step if isinstance(step, Turn) else (step, outcome))
            step = plan.send(outcome)
    except StopIteration as over:
        return Rehearsal(tuple(path), over.value.result, tuple(left))


def _suppose(step: StepModel | Turn, left: list[Outcome]) -> Outcome:
    if isinstance(step, Turn) or not step.destinations:
        return Outcome.DONE
    return left.pop(0) if left else Outcome.TAKEN


def disagreements(number: ServiceNumber, expect: Expect) -> Iterator[tuple[str, str]]:
    """The keys of `expect` that the route violates, each with the expected and the actual value."""
    now = expect.at.replace(tzinfo=number.zone).astimezone(UTC)
    call = rehearse(number, number.facts(now, expect.caller), expect.outcomes)
    for key in ("hears", "rings", "ends"):
        if (expected := getattr(expect, key)) is None:
            continue
        actual = call.result if key == "ends" else getattr(call, key)
        if actual != expected:
            yield key, f"expected {_listed(expected)}, got {_listed(actual)}"
    if call.unused:
        rings = len(expect.outcomes) - len(call.unused)
        yield (
            "outcomes",
            f"expected {len(expect.outcomes)} rings, got {rings}; write one outcome for each ring made",
        )


def _listed(value: Result | tuple[str, ...]) -> str:
    return value.value if isinstance(value, Result) else f"[{', '.join(value)}]"
