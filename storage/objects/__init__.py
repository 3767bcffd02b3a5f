"""The object store, which has the sealed audio: a directory or an S3 bucket. Its methods and its errors.

The name of an object says only the kind and the id. Every method may be repeated after a crash.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class ObjectsTrouble(Exception):
    """The object store is away, refuses the request, or did something else; the message says what."""


class ObjectExists(Exception):
    """There is an object with this name already."""


class ObjectMissing(Exception):
    """There is no object with this name."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object, and when it was written."""

    name: str
    at: datetime


class Objects(Protocol):
    """Every method raises ObjectsTrouble."""

    async def put(self, name: str, data: bytes) -> None:
        """Write an object durably and whole. Raises ObjectExists: no object is ever overwritten."""

    async def get(self, name: str) -> bytes:
        """Raises ObjectMissing."""

    async def size(self, name: str) -> int:
        """Its bytes. Raises ObjectMissing."""

    async def read(self, name: str, start: int, size: int) -> bytes:
        """So many of its bytes, from `start`; fewer at its end. Raises ObjectMissing."""

    async def delete(self, name: str) -> int:
        """Delete every version and unfinished upload of it, and check that none is left; return how many."""

    def all(self, prefix: str = "") -> AsyncIterator[Stored]:
        """Every object whose name begins with this, with its older versions."""

    async def objections(self) -> list[str]:
        """Why nothing may be stored here, in sentences with their remedies; empty when it may."""

    async def close(self) -> None:
        """Close connections."""
