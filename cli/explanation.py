"""The path of a supposed call, as text for people and as data for programs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dialplan.number import Owner, RecordingPolicy, ServiceNumber
from dialplan.rehearse import Rehearsal
from dialplan.result import Answer
from dialplan.step import Facts, StepModel, StepPath, Turn
from engine.causes import HANG_UPS


@dataclass(frozen=True, slots=True)
class Explanation:
    """A supposed call, as text for people and as data for programs."""

    number: ServiceNumber
    owner: Owner
    facts: Facts
    call: Rehearsal

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield from heading(self.number, self.owner, self.facts)
        yield ""
        for index, node in enumerate(self.call.path, start=1):
            yield f"{index:3}  {line(node)}"
        yield ""
        yield f"{self.call.result}: the caller's network is answered SIP {HANG_UPS[self.call.result].sip}"
        if self.call.unused:
            yield f"not used: --outcome {' '.join(self.call.unused)}; the call rings less often than that"
        if self.call.unused_presses:
            yield f"not used: --press {' '.join(self.call.unused_presses)}; there are fewer menus than that"

    @property
    def taken(self) -> frozenset[StepPath]:
        """The paths of the steps that are performed."""
        return frozenset(step.path for step, _ in self.call.steps)

    def tree(self, route: Iterable[str]) -> Iterator[str]:
        """The lines of the whole route, between the heading and the result."""
        yield from heading(self.number, self.owner, self.facts)
        yield from ("", *route, "")
        yield f"{self.call.result}: the caller's network is answered SIP {HANG_UPS[self.call.result].sip}"

    def data(self) -> dict[str, Any]:
        """Turns and steps are named as in the journal: kind, step, why or outcome."""
        return {
            **data_of(self.number, self.facts),
            "path": [entry(node) for node in self.call.path],
            "result": self.call.result,
            "sip": HANG_UPS[self.call.result].sip,
            "unused_outcomes": self.call.unused,
            "unused_presses": self.call.unused_presses,
        }


def heading(number: ServiceNumber, owner: Owner, facts: Facts) -> Iterator[str]:
    """Which number was called by whom, when, and whether the call is recorded."""
    local = facts.now.astimezone(facts.zone)
    caller = facts.caller.number or f"a caller whose number is {facts.caller.presentation}"
    yield f"{number.number} of {number.owner} ({owner.name})"
    yield f"called by {caller} on {local:%a %Y-%m-%d %H:%M %Z}, {number.zone.key}"
    yield from _recording(number, owner)


def _recording(number: ServiceNumber, owner: Owner) -> Iterator[str]:
    if number.record is RecordingPolicy.OFF:
        return
    caller, destination = number.announcement(owner), number.statement(owner)
    if owner.destinations_know:
        notice = f"the caller hears {caller}, the destination has agreed to it"
    elif caller == destination:
        notice = f"caller and destination hear {caller}"
    else:
        notice = f"the caller hears {caller}, the destination {destination}"
    hours = owner.keep_recordings // timedelta(hours=1)
    kept = f"{hours // 24} days" if hours % 24 == 0 else f"{hours} hours"
    yield f"recorded ({number.record}): {notice}; kept for {kept}"


def data_of(number: ServiceNumber, facts: Facts) -> dict[str, Any]:
    """The data of `heading`, for programs."""
    return {
        "number": number.number,
        "owner": number.owner,
        "at": facts.now.isoformat(),
        "timezone": number.zone.key,
        "caller": facts.caller.number or "",
        "withheld": facts.caller.withheld,
        "record": number.record,
    }


def line(node: Turn | tuple[StepModel, Answer | None]) -> str:
    """One turn with its reason, or one step with its settings and, where it has one, its outcome."""
    if isinstance(node, Turn):
        return f"{node.step:9} {node.why}"
    step, outcome = node
    result = f" -> {outcome or 'unknown'}" if step.has_outcome else ""
    return f"{step.step:9} {step.summary}{result}"


def entry(node: Turn | tuple[StepModel, Answer | None]) -> dict[str, Any]:
    """The same for programs."""
    if isinstance(node, Turn):
        return {"kind": "turn", "step": node.step, "why": node.why}
    step, outcome = node
    settings = step.model_dump(mode="json", exclude={"step"})
    return {"kind": "step", "step": step.step, "path": step.path, "settings": settings, "outcome": outcome}
