"""A past call explained, as text for people and as data for programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli.explanation import data_of, entry, heading
from dialplan.number import Owner, ServiceNumber
from dialplan.routing import Routing
from dialplan.step import Facts, Turn
from portal.path_words import Line, lines
from portal.texts import texts
from storage.records import CallRecord, LegRecord
from storage.retracing import Known, PastStep, Retraced, facts_of, retrace

CONFIRMATIONS = {"key": "pressed 1", "no_key": "did not press 1", "left": "hung up when asked to press 1"}
NOTE = (
    "The record has attempts, message and result. The outcome of a ring is derived from its attempts; "
    "that a prompt was heard is supposed."
)


def explained(
    record: CallRecord, number: ServiceNumber, routing: Routing, language: str | None = None
) -> "PastExplanation":
    """The path of a call by the routing version that it began under, in this or its owner's language."""
    owner = routing.owner(number)
    return PastExplanation(
        record,
        number,
        owner,
        retrace(record, number, routing.lists),
        facts_of(record, number, routing.lists),
        language or owner.language,
    )


@dataclass(frozen=True, slots=True)
class PastExplanation:
    """A past call, as text for people and as data for programs. `language`: of reasons and outcomes."""

    record: CallRecord
    number: ServiceNumber
    owner: Owner
    call: Retraced
    facts: Facts
    language: str

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"call {self.record.call_id}, routing version {self.record.routing}"
        yield from heading(self.number, self.owner, self.facts)
        yield ""
        for index, (node, said) in enumerate(self._said(), start=1):
            yield f"{index:3}  {_line(node, said)}"
            if isinstance(node, PastStep):
                yield from (f"       {self._leg(leg)}" for leg in node.legs)
        yield ""
        outcome = texts(self.language)["outcomes"].get(self.record.outcome, self.record.outcome)
        yield f"{outcome}, ended by {self.record.ended_by}, cause {self.record.cause} (Q.850)"
        if self.call.result not in (None, self.record.outcome):
            yield f"The walk results in {self.call.result}: the call did not end as its route says."
        yield NOTE

    def data(self) -> dict[str, Any]:
        """As for a supposed call; `known` says how the outcome of a step is known."""
        return {
            "call_id": self.record.call_id,
            "routing": self.record.routing,
            **data_of(self.number, self.facts),
            "language": self.language,
            "path": [{**_entry(node), "said": said.text} for node, said in self._said()],
            "walked_to": self.call.result,
            "result": self.record.outcome,
            "ended_by": self.record.ended_by,
            "cause": self.record.cause,
        }

    def _said(self) -> Iterator[tuple[Turn | PastStep, Line]]:
        """Each turn and step, and the same in words."""
        return zip(self.call.path, lines(self.call.path, self.language, self.facts), strict=True)

    def _leg(self, leg: LegRecord) -> str:
        outcomes = texts(self.language)["step_outcomes"]
        outcome = outcomes.get(leg.outcome, leg.outcome) if leg.outcome else "its end is not recorded"
        cause = "" if leg.cause is None else f", cause {leg.cause} (Q.850)"
        asked = f", {CONFIRMATIONS[leg.confirmation]}" if leg.confirmation in CONFIRMATIONS else ""
        return f"{leg.to}: {outcome}{cause}{asked}"


def _line(node: Turn | PastStep, said: Line) -> str:
    text = f"{said.what}: {said.text}" if said.text else said.what
    if isinstance(node, Turn):
        return text
    if node.step.has_outcome:
        text += f" -> {said.outcome or 'unknown'}"
    return text if node.known is Known.SUPPOSED else f"{text} ({node.known})"


def _entry(node: Turn | PastStep) -> dict[str, Any]:
    if isinstance(node, Turn):
        return entry(node)
    legs = [
        {
            "to": leg.to,
            "outcome": leg.outcome,
            "cause": leg.cause,
            "confirmation": leg.confirmation or None,
        }
        for leg in node.legs
    ]
    return {**entry((node.step, node.outcome)), "known": node.known, "legs": legs}
