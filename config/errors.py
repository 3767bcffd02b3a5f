"""Errors in the operator's files: all at once, each with its place and its remedy."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

# The way to a value in a file: keys and list indices, as in ("route", 2, "ring", "seconds").
type At = tuple[str | int, ...]


class Place(NamedTuple):
    """A place in a file, counted from 1 as editors do; (0, 0) if the file has no lines."""

    line: int
    column: int


NOWHERE = Place(0, 0)
MAX_SHOWN = 400  # characters of each part of an error


@dataclass(frozen=True, slots=True, order=True)
class FileError:
    """`file:line:column: path: what is wrong and what to write`."""

    file: Path
    place: Place
    at: str
    what: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}:{self.place.column}" if self.place.line else str(self.file)
        return ": ".join(_legible(part) for part in (where, self.at, self.what) if part)


class UnplayableError(ValueError):
    """This file cannot be a prompt. Its text contains the remedy."""


class ConfigErrors(Exception):
    """The routing folder cannot be used. `errors`: all its errors, sorted by place."""

    def __init__(self, errors: Iterable[FileError]) -> None:
        self.errors = tuple(sorted(set(errors)))
        super().__init__("\n".join(map(str, self.errors)))


def _legible(text: str) -> str:
    """Shorten the text, but not the remedy at its end; replace control characters."""
    shown = text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN // 2]}…{text[-MAX_SHOWN // 2 :]}"
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def spoken(at: At) -> str:
    """Return the path for people: `route.ring.seconds`; the place distinguishes equal paths."""
    return ".".join(part for part in at if isinstance(part, str))
