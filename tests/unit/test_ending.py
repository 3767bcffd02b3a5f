"""What a call came to, who ended it, when and why, from its state and what the engine hung up with."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from dialplan.result import Outcome, Result
from engine.ending import Farewell, ending_of, loose_ends
from engine.line import Ended
from journal.entries import (
    BY_ENGINE,
    Answered,
    CallEnded,
    CallerLeft,
    CallStarted,
    EndedBy,
    Entry,
    FellBack,
    LegConnected,
    LegEnded,
    LegStarted,
    RecordingEnded,
    RecordingStarted,
)
from journal.state import fold

BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)
OUTCOMES = [Outcome.BUSY, Outcome.NO_ANSWER, Outcome.UNREACHABLE, Outcome.REJECTED, Outcome.FAILED]


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


START = CallStarted("c", at(0), "+3270012345", "acme", False, "here", "here-1.0")
TALKS: list[Entry] = [LegStarted("c", at(1), "c-b1", "+32470"), LegConnected("c", at(3), "c-b1")]
MESSAGE: list[Entry] = [Answered("c", at(2), "voicemail")]
AT_FALLBACK: list[Entry] = [FellBack("c", at(5))]


def left(by: EndedBy, cause: int = 16) -> list[Entry]:
    """What CEL says of the end, at 9 s."""
    return [CallerLeft("c", at(9), by, cause)]


def tried(outcome: Outcome, seconds: float = 6, leg: str = "c-b2") -> list[Entry]:
    return [LegStarted("c", at(seconds), leg, "+32471"), LegEnded("c", at(seconds + 1), leg, outcome, 17)]


HUNG_UP = Ended(at(8.5), 16)  # what ARI says of the end
LOST = Ended(at(7), 127, lost=True)

# entries, what the engine hung up with, the end by ARI -> outcome, ended by, cause, at
Row = tuple[Sequence[Entry], Farewell | None, Ended, tuple[str, str, int, float]]
CONNECTED: list[Row] = [
    ([*TALKS, *left("caller")], None, HUNG_UP, ("answered", "caller", 16, 9)),
    ([*TALKS, *left("destination", 38)], None, HUNG_UP, ("answered", "destination", 38, 9)),
    ([*TALKS, *left("limit")], None, HUNG_UP, ("answered", "limit", 16, 9)),
    ([*TALKS, *left("network", 44)], None, HUNG_UP, ("answered", "network", 44, 9)),
    ([*TALKS, *left("engine")], Farewell(Result.ANSWERED, 16), HUNG_UP, ("answered", "engine", 16, 9)),
    (TALKS, None, HUNG_UP, ("answered", "caller", 16, 8.5)),  # CEL could not be read
    (TALKS, None, LOST, ("lost", "lost", 127, 7)),  # its bill has to be looked at
    ([*TALKS, *left("network", 16)], None, LOST, ("answered", "network", 16, 9)),  # what is told counts
    ([*AT_FALLBACK, *TALKS, *left("destination")], None, HUNG_UP, ("answered", "destination", 16, 9)),
]
VOICEMAIL: list[Row] = [
    ([*MESSAGE, *left("caller")], None, HUNG_UP, ("voicemail", "caller", 16, 9)),
    ([*MESSAGE, *left("engine")], Farewell(Result.VOICEMAIL, 16), HUNG_UP, ("voicemail", "engine", 16, 9)),
    ([*MESSAGE, *left("engine")], Farewell(Result.FAILED, 38), HUNG_UP, ("failed", "engine", 38, 9)),
    ([*MESSAGE, *left("network", 44)], None, HUNG_UP, ("voicemail", "network", 44, 9)),
    ([*MESSAGE, *left("engine")], None, HUNG_UP, ("voicemail", "engine", 16, 9)),  # its lease ran out
    (MESSAGE, None, HUNG_UP, ("voicemail", "caller", 16, 8.5)),
    (MESSAGE, None, LOST, ("voicemail", "lost", 127, 7)),
]
NOBODY: list[Row] = [
    ([Answered("c", at(2), BY_ENGINE), *left("caller")], None, HUNG_UP, ("abandoned", "caller", 16, 9)),
    ([*tried(Outcome.BUSY), *left("caller")], None, HUNG_UP, ("abandoned", "caller", 16, 9)),
    ([*left("caller", 127)], None, HUNG_UP, ("abandoned", "caller", 16, 9)),
    ([*left("engine")], None, HUNG_UP, ("abandoned", "engine", 16, 9)),  # Asterisk was stopped
    ([], None, HUNG_UP, ("abandoned", "caller", 16, 8.5)),
    ([], None, LOST, ("lost", "lost", 127, 7)),
    *(
        ([*left("engine", 19)], Farewell(result, 17), HUNG_UP, (result.value, "engine", 17, 9))
        for result in (Result.CLOSED, Result.FAILED, *(Result(outcome) for outcome in OUTCOMES))
    ),
    ([], Farewell(Result.BUSY, 17), HUNG_UP, ("busy", "engine", 17, 8.5)),
    ([], Farewell(Result.BUSY, 17), LOST, ("lost", "lost", 127, 7)),
]
FALLBACK: list[Row] = [
    *(
        (
            [*AT_FALLBACK, *tried(outcome), *left("engine", 34)],
            None,
            HUNG_UP,
            (outcome.value, "engine", 34, 9),
        )
        for outcome in OUTCOMES
    ),
    (
        [*tried(Outcome.BUSY, 1, "c-b1"), *AT_FALLBACK, *tried(Outcome.NO_ANSWER), *left("engine", 19)],
        None,
        HUNG_UP,
        ("no_answer", "engine", 19, 9),
    ),
    # The number has none: what came of the route before does not count.
    (
        [*tried(Outcome.BUSY, 1, "c-b1"), *AT_FALLBACK, *left("engine", 34)],
        None,
        HUNG_UP,
        ("unreachable", "engine", 34, 9),
    ),
    (
        [*AT_FALLBACK, *tried(Outcome.NO_ANSWER), *left("caller")],
        None,
        HUNG_UP,
        ("abandoned", "caller", 16, 9),
    ),
    (AT_FALLBACK, None, LOST, ("lost", "lost", 127, 7)),
    (AT_FALLBACK, None, HUNG_UP, ("unreachable", "engine", 0, 8.5)),
]


@pytest.mark.parametrize(
    ("entries", "farewell", "ended", "expected"), [*CONNECTED, *VOICEMAIL, *NOBODY, *FALLBACK]
)
def test_how_a_call_ended(
    entries: list[Entry], farewell: Farewell | None, ended: Ended, expected: tuple[str, EndedBy, int, float]
) -> None:
    outcome, by, cause, seconds = expected
    told = ending_of(fold([START, *entries]), farewell, ended)
    assert told == CallEnded("c", at(seconds), Result(outcome), by, cause)


def test_every_outcome_and_every_ending_has_its_row() -> None:
    expected = [row[3] for row in (*CONNECTED, *VOICEMAIL, *NOBODY, *FALLBACK)]
    assert {outcome for outcome, *_ in expected} == {result.value for result in Result}
    assert {by for _, by, *_ in expected} == set(EndedBy.__args__)  # type: ignore[attr-defined]


# What nothing has told the end of.

RECORDED: Entry = RecordingStarted("c", at(4), "c-rec1", 60, "wav", "c-b1")


@pytest.mark.parametrize(
    ("entries", "ends"),
    [
        ([], []),
        ([*TALKS, LegEnded("c", at(8), "c-b1", Outcome.TAKEN, 16)], []),
        (TALKS, [LegEnded("c", at(7), "c-b1", Outcome.TAKEN, 127)]),
        (TALKS[:1], [LegEnded("c", at(7), "c-b1", Outcome.FAILED, 127)]),
        (
            [*TALKS, RECORDED],
            [LegEnded("c", at(7), "c-b1", Outcome.TAKEN, 127), RecordingEnded("c", at(7), "c-rec1")],
        ),
    ],
)
def test_what_nothing_has_told_the_end_of_ends_with_the_call(entries: list[Entry], ends: list[Entry]) -> None:
    state = fold([START, *entries])
    assert list(loose_ends(state, LOST)) == ends
    for entry in ends:
        state.apply(entry)
    assert list(loose_ends(state, LOST)) == []
