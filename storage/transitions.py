"""A state machine whose rows live in PostgreSQL: which state may follow which, by which event, and who acts.

`storage/message_states.py` and `storage/audio_states.py` have one each, with the SQL of every transition.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class Transition[State: StrEnum, Event: StrEnum](NamedTuple):
    """`sources`: the states in which the event is accepted; empty where the event creates the row."""

    sources: tuple[State, ...]
    event: Event
    target: State
    who: str


class Transitions[State: StrEnum, Event: StrEnum]:
    """The table of one machine. Each event has one row, so it has one target."""

    def __init__(self, *rows: tuple[tuple[State, ...], Event, State, str]) -> None:
        self._by_event = {row[1]: Transition(*row) for row in rows}
        if len(self._by_event) < len(rows):
            raise ValueError("an event has two rows")

    def __iter__(self) -> Iterator[Transition[State, Event]]:
        return iter(self._by_event.values())

    def target(self, event: Event) -> State:
        return self._by_event[event].target

    def sources(self, event: Event) -> list[State]:
        """The states from which this event leads to its target; a list, as an SQL parameter."""
        return list(self._by_event[event].sources)

    def allows(self, source: State | None, target: State) -> bool:
        """Whether some event leads from `source` to `target`; None: from no row."""
        return any(
            row.target == target and (source in row.sources if row.sources else source is None)
            for row in self
        )
