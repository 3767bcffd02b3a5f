"""A past call explained, as text for people and as data for programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli.explanation import data_of, entry, heading, line
from dialplan.number import Owner, ServiceNumber
from dialplan.routing import Routing
from dialplan.step import Turn
from storage.records import CallRecord, LegRecord
from storage.retracing import Known, PastStep, Retraced, facts_of, retrace

CONFIRMATIONS = {"key": "pressed 1", "no_key": "did not press 1", "left": "hung up when asked to press 1"}
NOTE = (
    "The record has attempts, message and result. The outcome of a ring is derived from its attempts; "
    "that a prompt was heard is supposed."
)


def explained(record: CallRecord, number: ServiceNumber, routing: Routing) -> "PastExplanation":
    """The path of a call by the routing version that it began under."""
    return PastExplanation(record, number, routing.owner(number), retrace(record, number, routing.lists))


@dataclass(frozen=True, slots=True)
class PastExplanation:
    """A past call, as text for people and as data for programs."""

    record: CallRecord
    number: ServiceNumber
    owner: Owner
    call: Retraced

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"call {self.record.call_id}, routing version {self.record.routing}"
        yield from heading(self.number, self.owner, facts_of(self.record, self.number))
        yield ""
        for index, node in enumerate(self.call.path, start=1):
            yield f"{index:3}  {_line(node)}"
            if isinstance(node, PastStep):
                yield from (f"     {'':9} {_leg(leg)}" for leg in node.legs)
        yield ""
        yield f"{self.record.outcome}, ended by {self.record.ended_by}, cause {self.record.cause} (Q.850)"
        if self.call.result not in (None, self.record.outcome):
            yield f"The walk results in {self.call.result}: the call did not end as its route says."
        yield NOTE

    def data(self) -> dict[str, Any]:
        """As for a supposed call; `known` says how the outcome of a step is known."""
        return {
            "call_id": self.record.call_id,
            "routing": self.record.routing,
            **data_of(self.number, facts_of(self.record, self.number)),
            "path": [_entry(node) for node in self.call.path],
            "walked_to": self.call.result,
            "result": self.record.outcome,
            "ended_by": self.record.ended_by,
            "cause": self.record.cause,
        }


def _line(node: Turn | PastStep) -> str:
    if isinstance(node, Turn):
        return line(node)
    text = line((node.step, node.outcome))
    return text if node.known is Known.SUPPOSED else f"{text} ({node.known})"


def _leg(leg: LegRecord) -> str:
    cause = "" if leg.cause is None else f", cause {leg.cause} (Q.850)"
    asked = f", {CONFIRMATIONS[leg.confirmation]}" if leg.confirmation in CONFIRMATIONS else ""
    return f"{leg.to}: {leg.outcome or 'its end is not recorded'}{cause}{asked}"


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
