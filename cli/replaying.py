"""Past calls under other routing files: which of them would go elsewhere."""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from config.versions import VersionError, Versions
from dialplan.routing import Routing
from dialplan.step import Turn
from storage.records import CallRecord
from storage.retracing import Retraced, retrace

NOT_OURS = "404: the number is not there"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A call that would go elsewhere: the first step at which it does, `before` and under the new files."""

    call_id: str
    began: datetime
    number: str
    before: str
    after: str

    def text(self) -> str:
        """A line for people: without the caller, whom `callengine explain --call` names."""
        return f"{self.began:%Y-%m-%d %H:%M:%S}  {self.number}  {self.call_id}  {self.before} -> {self.after}"

    def data(self) -> dict[str, Any]:
        return {
            "call_id": self.call_id,
            "began": self.began.isoformat(),
            "number": self.number,
            "before": self.before,
            "after": self.after,
        }


@dataclass(slots=True)
class Replay:
    """Calls of a period, walked by the version that each began under, and by `routing`, the new files.

    `same`: calls that go the same way. `without_version`: calls of which no routing version is stored.
    """

    versions: Versions
    routing: Routing
    elsewhere: list[Elsewhere] = field(default_factory=list)
    same: int = 0
    without_version: int = 0
    _read: dict[str, Routing | None] = field(default_factory=dict)

    async def replay(self, records: AsyncIterator[CallRecord]) -> None:
        async for record in records:
            self._replay(record)

    def counted(self) -> str:
        """The sentence that counts the calls."""
        text = f"{len(self.elsewhere)} of {len(self.elsewhere) + self.same} calls would go elsewhere"
        unknown = self.without_version
        return (
            f"{text}; {unknown} more cannot be compared: no version is stored for them" if unknown else text
        )

    def _replay(self, record: CallRecord) -> None:
        before = self._version(record.routing) if record.routing else None
        if before is None:
            self.without_version += 1
            return
        if difference := first_difference(stations(record, before), stations(record, self.routing)):
            was, would_be = difference
            self.elsewhere.append(Elsewhere(record.call_id, record.began, record.number, was, would_be))
        else:
            self.same += 1

    def _version(self, digest: str) -> Routing | None:
        """Each version is read once."""
        if digest not in self._read:
            try:
                self._read[digest] = self.versions.read(digest)
            except VersionError:
                self._read[digest] = None
        return self._read[digest]


def stations(record: CallRecord, routing: Routing) -> list[str]:
    """Return the steps of a call by this routing, as far as its record tells their outcomes.

    The last is the result of the call, or "" if the call ended, or its record says no more.
    """
    if (number := routing.number(record.number)) is None:
        return [NOT_OURS]
    try:
        return list(_stations(retrace(record, number, routing.lists)))
    except ValueError:  # another step answers to what the journal has of this call
        return ["cannot be followed: the steps are others"]


def _stations(call: Retraced) -> Iterator[str]:
    for node in call.path:
        if not isinstance(node, Turn):
            step = node.step
            yield " ".join([step.step, *step.prompts, *map(str, step.destinations)])
    yield str(call.result or "")


def first_difference(before: Iterable[str], after: Iterable[str]) -> tuple[str, str] | None:
    """Return the first station at which two walks differ; None where they do not, or one says no more."""
    for was, would_be in zip(before, after, strict=False):
        if "" in (was, would_be):
            return None
        if was != would_be:
            return was, would_be
    return None
