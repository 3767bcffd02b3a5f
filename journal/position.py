"""How far a journal has been read."""

from typing import NamedTuple


class Position(NamedTuple):
    """A place in a journal: a segment's file name ("": before the first) and the byte to read on from."""

    segment: str = ""
    offset: int = 0
