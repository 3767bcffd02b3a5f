"""YAML as structure and text: dicts, lists and strings, and the place of each. Models interpret the text.

Plain YAML guesses: `070012345` is 14685413, `+3280012345` loses its plus, `17:30` is 1050, `no` is False, and
of two equal keys the last wins. Here everything is text, and dangerous constructs are refused while they are
read: elsewhere 480 bytes of aliases become 3 million nodes, and 3,000 brackets a RecursionError.
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
    """This text cannot be read. `place`: where; `what`: what is wrong, and the remedy."""

    def __init__(self, place: Place, what: str) -> None:
        super().__init__(what)
        self.place = place
        self.what = what


@dataclass(frozen=True, slots=True)
class Document:
    """The value of a file and the places of all values in it; an entry of a mapping has that of its key."""

    value: Any
    places: dict[At, Place]

    def known(self, at: At) -> At:
        """Return this path as it is written: without missing parts, and without those of a setting alone."""
        written: At = ()
        for part in at:
            if (*written, part) in self.places:
                written = (*written, part)
        return written

    def place(self, at: At) -> Place:
        return self.places[self.known(at)]


def read(data: bytes) -> Document:
    """Parse the only document in this UTF-8 text. Raises UnreadableError for its first error."""
    if len(data) > MAX_BYTES:
        raise UnreadableError(NOWHERE, f"larger than {MAX_BYTES:,} bytes; split it into several files")
    try:
        return _Reader(data).document()
    except yaml.MarkedYAMLError as error:
        raise UnreadableError(_place(error.problem_mark), _explained(error)) from None
    except ReaderError as error:
        before = data[: error.position]
        place = Place(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        raise UnreadableError(
            place, "no UTF-8 text here; save the file as UTF-8, no control characters"
        ) from None


class _Reader:
    """Builds the document while libyaml parses, so that limits act before anything large exists."""

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
        return cast("Event", self._parser.get_event())  # None only after the end of the stream

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


def _explained(error: yaml.MarkedYAMLError) -> str:
    """Return libyaml's error, with a remedy if one is known."""
    problem = error.problem or ""
    if "cannot start any token" in problem:
        return "a value cannot begin with this character; indent with spaces, and put such values in quotes"
    if "mapping values are not allowed" in problem:
        return "a colon too many, or a wrong indentation; write one  key: value  a line"
    return f"cannot be read as YAML here ({problem}); check indentation, brackets and quotes"
