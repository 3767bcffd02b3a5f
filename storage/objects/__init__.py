"""Where sealed sounds lie: a directory, or a bucket that speaks S3. Five verbs, and what may go wrong.

Nothing of a sound is in an object's name but its own id. Every verb may be repeated after a crash.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class ObjectsTrouble(Exception):
    """The object store is away, refuses us, or did not do what it said; the message says what."""


class ObjectExists(Exception):
    """There is an object of this name already."""


class ObjectMissing(Exception):
    """There is no object of this name."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object, and when it was written."""

    name: str
    at: datetime


class Objects(Protocol):
    """Every verb raises ObjectsTrouble."""

    async def put(self, name: str, data: bytes) -> None:
        """Write an object durably and whole. Raises ObjectExists: nothing is ever written over."""

    async def get(self, name: str) -> bytes:
        """Raises ObjectMissing."""

    async def delete(self, name: str) -> int:
        """Delete every version of it, begun uploads too, and see that none is left; return how many."""

    def all(self) -> AsyncIterator[Stored]:
        """Every object there is, whatever may be an older version of it among them."""

    async def objections(self) -> list[str]:
        """Why nothing should be kept here, in sentences with their remedies; none when it may."""

    async def close(self) -> None:
        """Let go of connections."""
