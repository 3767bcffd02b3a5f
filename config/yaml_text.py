"""YAML as structure and text: dicts, lists and strings, and the place of each. What a text means, models say.

Plain YAML guesses: `070012345` is 14685413, `+3280012345` loses its plus, `17:30` is 1050, `no` is False, and
of two equal keys the last wins. Here all is text, and what could surprise or blow up is refused while it
is being read: 480 bytes of aliases make 3 million nodes elsewhere, 3,000 brackets a RecursionError.
"""

from dataclasses import dataclass
from typing import Any, Protocol, cast

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from config.errors import NOWHERE, At, Place

MAX_BYTES = 2_000_000
MAX_DEPTH = 20
MAX_NODES = 20_000  # read in 40 ms at worst; a number with a long route has 200
MAX_SCALAR = 10_000  # characters


class UnreadableError(Exception):
    """This text cannot be read. `place` is where, `what` says what is wrong and what to write."""

    def __init__(self, place: Place, what: str) -> None:
        super().__init__(what)
        self.place = place
        self.what = what


@dataclass(frozen=True, slots=True)
class Document:
    """The value of a file and the place of everything in it: of a mapping's entry that of its key."""

    value: Any
    places: dict[At, Place]

    def known(self, at: At) -> At:
        """This path as it is written: without what is missing, or left out because a setting stands alone."""
        written: At = ()
        for part in at:
            if (*written, part) in self.places:
                written = (*written, part)
        return written

    def place(self, at: At) -> Place:
        return self.places[self.known(at)]


def read(data: bytes) -> Document:
    """The one document in this UTF-8 text; raises UnreadableError at the first thing that cannot be used."""
    if len(data) > MAX_BYTES:
        raise UnreadableError(NOWHERE, f"larger than {MAX_BYTES:,} bytes; split it into several files")
    try:
        return _Reader(data).document()
    except yaml.MarkedYAMLError as wrong:
        raise UnreadableError(_place(wrong.problem_mark), _explained(wrong)) from None
    except ReaderError as wrong:
        before = data[: wrong.position]
        place = Place(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        raise UnreadableError(
            place, "no UTF-8 text here; save the file as UTF-8, no control characters"
        ) from None


class _Reader:
    """Builds the document while libyaml parses, so that a limit is hit before anything large exists."""

    def __init__(self, data: bytes) -> None:
        self._parser = yaml.CBaseLoader(data)
        self._places: dict[At, Place] = {}
        self._nodes = 0

    def document(self) -> Document:
        self._next()  # stream start
        if isinstance(self._next(), StreamEndEvent):
            raise UnreadableError(Place(1, 1), "is empty; write settings as  key: value")
        value = self._value(self._next(), (), 0)
        while not isinstance(event := self._next(), StreamEndEvent):
            if not isinstance(event, DocumentEndEvent):
                raise _refused(event, "a second document begins here; use two files")
        return Document(value, self._places)

    def _next(self) -> Event:
        return cast("Event", self._parser.get_event())  # None only behind the end of the stream

    def _value(self, event: Event, at: At, depth: int) -> Any:
        self._check(event, depth)
        self._places.setdefault(at, _place(event.start_mark))
        match event:
            case ScalarEvent():
                return event.value
            case SequenceStartEvent():
                return self._sequence(at, depth + 1)
            case _:
                return self._mapping(at, depth + 1)

    def _sequence(self, at: At, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            items.append(self._value(event, (*at, len(items)), depth))
        return items

    def _mapping(self, at: At, depth: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            key = self._key(event, depth)
            if key in entries:
                raise _refused(event, f"`{key[:40]}` stands here twice; write it once")
            here = (*at, key)
            self._places[here] = _place(event.start_mark)
            entries[key] = self._value(self._next(), here, depth)
        return entries

    def _key(self, event: Event, depth: int) -> str:
        self._check(event, depth)
        if not isinstance(event, ScalarEvent):
            raise _refused(event, "a key is one word; write  key: value")
        return str(event.value)

    def _check(self, event: Event, depth: int) -> None:
        self._nodes += 1
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            what = "no anchors (&) and aliases (*) here; write the value out, or in quotes if it is text"
        elif getattr(event, "tag", None) is not None:
            what = "no tags (!) here; remove it, or put the value in quotes if it is text"
        elif isinstance(event, ScalarEvent) and len(event.value) > MAX_SCALAR:
            what = f"more than {MAX_SCALAR:,} characters in one value; is a quote missing?"
        elif depth >= MAX_DEPTH and not isinstance(event, ScalarEvent):
            what = f"more than {MAX_DEPTH} levels deep; a route this deep cannot be meant"
        elif self._nodes > MAX_NODES:
            what = f"more than {MAX_NODES:,} values in one file; split it into several files"
        else:
            return
        raise _refused(event, what)


class _Mark(Protocol):
    """libyaml's and PyYAML's own mark."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


def _place(mark: _Mark | None) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _refused(event: Event, what: str) -> UnreadableError:
    return UnreadableError(_place(event.start_mark), what)


def _explained(wrong: yaml.MarkedYAMLError) -> str:
    """libyaml's words, with the remedy where it is known."""
    problem = wrong.problem or ""
    if "cannot start any token" in problem:
        return "a value cannot begin with this character; indent with spaces, and put such values in quotes"
    if "mapping values are not allowed" in problem:
        return "a colon too many, or a wrong indentation; write one  key: value  a line"
    return f"cannot be read as YAML here ({problem}); check indentation, brackets and quotes"
