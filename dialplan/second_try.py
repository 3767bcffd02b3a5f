"""A second try of destinations whose network refused the number that they were shown."""

from collections.abc import Iterable

from dialplan.address import is_address
from dialplan.result import Answer, Choice, Outcome

AGAIN = "again"


def again(outcomes: Iterable[Outcome], refused: Iterable[str]) -> Choice:
    """Return the answer of a ring: these destinations `refused`; the `outcomes` are those of the others."""
    return Choice(" ".join([AGAIN, *outcomes, *refused]))


def refused_by(answer: Answer) -> tuple[str, ...]:
    """Return the destinations that refused the number they were shown; none for any other answer."""
    return tuple(word for word in _words(answer) if _is_destination(word))


def outcomes_in(answer: Answer) -> list[Outcome]:
    """Return the outcomes of the other destinations; that of the ring, where none refused."""
    if isinstance(answer, Outcome):
        return [answer]
    return [Outcome(word) for word in _words(answer) if not _is_destination(word)]


def _is_destination(word: str) -> bool:
    return word.startswith("+") or is_address(word)


def _words(answer: Answer) -> list[str]:
    return answer.split()[1:] if isinstance(answer, Choice) and answer.startswith(AGAIN) else []
