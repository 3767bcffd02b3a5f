"""The state machines of messages and audio: each transition of the tables, and nowhere else."""

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from storage import audio_states, message_states
from storage.audio_states import AudioState
from storage.message_states import MessageState
from storage.transitions import Transitions
from tests.unit.test_architecture import ROOT, SOURCES

HOMES = {"storage/message_states.py", "storage/audio_states.py"}
WRITES_A_STATE = (
    re.compile(r"\bINSERT\s+INTO\s+(audio|message)\b", re.IGNORECASE),
    re.compile(
        r"\bUPDATE\s+(audio|message)\s+SET\b(?:(?!\bWHERE\b).)*?\bstate\s*=", re.IGNORECASE | re.DOTALL
    ),
)

# Which state may follow which: from the row's state to the column's. `new`: there was no row.
MESSAGE = """
               recorded  waiting  accepted  bounced  undeliverable  destroyed  absent
new               x         x        .         .           .            .         .
recorded          .         x        .         .           .            x         x
waiting           .         x        x         x           x            x         .
accepted          .         .        x         x           x            x         .
bounced           .         .        x         .           x            x         .
undeliverable     .         x        x         .           x            x         .
destroyed         .         .        .         .           .            .         .
absent            .         .        .         .           .            .         .
"""
AUDIO = """
               recorded  stored  absent  shredded  destroyed
new               x         .       x        .         x
recorded          .         x       x        x         x
stored            .         .       .        x         x
absent            .         .       .        x         x
shredded          .         .       .        .         x
destroyed         .         .       .        .         .
"""


def drawn(table: str) -> set[tuple[str, str]]:
    """The pairs with an x."""
    head, *lines = [line.split() for line in table.strip().splitlines()]
    return {
        (source, target)
        for source, *cells in lines
        for target, cell in zip(head, cells, strict=True)
        if cell == "x"
    }


@pytest.mark.parametrize(
    ("states", "transitions", "table"),
    [
        (MessageState, message_states.TRANSITIONS, MESSAGE),
        (AudioState, audio_states.TRANSITIONS, AUDIO),
    ],
)
def test_every_pair_of_states_is_allowed_or_not_as_drawn(
    states: type[StrEnum], transitions: Transitions[Any, Any], table: str
) -> None:
    allowed = {
        ("new" if source is None else str(source), str(target))
        for source, target in product([None, *states], states)
        if transitions.allows(source, target)
    }
    assert allowed == drawn(table)


@pytest.mark.parametrize(
    ("events", "transitions"),
    [
        (message_states.Event, message_states.TRANSITIONS),
        (audio_states.Event, audio_states.TRANSITIONS),
    ],
)
def test_every_event_has_a_transition_and_somebody_who_acts(
    events: type[StrEnum], transitions: Transitions[Any, Any]
) -> None:
    assert {row.event for row in transitions} == set(events)
    assert all(row.who for row in transitions)


def test_an_event_with_two_rows_is_refused() -> None:
    row = ((AudioState.RECORDED,), audio_states.Event.STORED, AudioState.STORED, "sealer")
    with pytest.raises(ValueError, match="two rows"):
        Transitions(row, row)


@pytest.mark.parametrize(
    ("statement", "writes"),
    [
        ("UPDATE message SET why = $2, state = 'waiting' WHERE message_id = $1", True),
        ("UPDATE audio\nSET state = $2 FROM other WHERE audio_id = $1", True),
        ("INSERT INTO audio (audio_id) VALUES ($1)", True),
        ("UPDATE audio SET hold = $2 WHERE audio_id = $1 AND state = 'stored'", False),
        ("SELECT state FROM audio WHERE state = 'stored'", False),
    ],
)
def test_a_statement_that_writes_a_state_is_recognised(statement: str, writes: bool) -> None:
    assert writes_a_state(statement) is writes


def test_only_their_homes_write_the_states() -> None:
    writers = {
        str(file.relative_to(ROOT))
        for file in SOURCES
        if any(writes_a_state(text) for text in texts_in(file))
    }
    assert writers == HOMES


def writes_a_state(statement: str) -> bool:
    return any(pattern.search(statement) for pattern in WRITES_A_STATE)


def texts_in(file: Path) -> Iterator[str]:
    """Every text of the file, an f-string's constant parts joined."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value for part in node.values if isinstance(part, ast.Constant))
            yield " ".join(str(part) for part in parts)
