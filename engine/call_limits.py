"""Which calls are beyond a step that limits how many may be."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from dialplan.step import WITHIN_LIMIT, WITHIN_OWNERS_LIMIT, StepPath
from journal.entries import CallStarted, Entry, StepPerformed


def step_key(number: str, path: StepPath) -> str:
    """Return the key under which calls at a step of a number's route are counted."""
    return f"{number}:{'.'.join(map(str, path))}"


def owner_key(owner: str) -> str:
    """Return the key under which the calls of all numbers of an owner are counted."""
    return f"owner:{owner}"


class CallLimits:
    """The calls beyond steps, by `step_key` or `owner_key`.

    `unfinished`: those that an earlier engine has left.
    """

    def __init__(self, unfinished: Mapping[str, Sequence[Entry]]) -> None:
        self._calls: dict[str, set[str]] = defaultdict(set)  # by step
        self._steps: dict[str, set[str]] = defaultdict(set)  # by call
        for call, entries in unfinished.items():
            for key in _passed(entries):
                self._add(key, call)

    def enter(self, key: str, call: str, most: int) -> bool:
        """Add a call, which may be in already. Return False if the limit is reached."""
        calls = self._calls[key]
        if call not in calls and len(calls) >= most:
            return False
        self._add(key, call)
        return True

    def leave(self, call: str) -> None:
        """Remove a call that has ended."""
        for key in self._steps.pop(call, ()):
            self._calls[key].discard(call)
            if not self._calls[key]:
                del self._calls[key]

    def _add(self, key: str, call: str) -> None:
        self._calls[key].add(call)
        self._steps[call].add(key)


def _passed(entries: Iterable[Entry]) -> Iterable[str]:
    """Yield the keys of the steps that a call has passed, from its journal."""
    number = owner = ""
    for entry in entries:
        match entry:
            case CallStarted():
                number, owner = entry.number, entry.owner
            case StepPerformed() if entry.choice == WITHIN_LIMIT:
                yield step_key(number, entry.path)
            case StepPerformed() if entry.choice == WITHIN_OWNERS_LIMIT:
                yield owner_key(owner)
