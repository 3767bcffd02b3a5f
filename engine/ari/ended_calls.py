"""When each of the last calls ended, in constant memory.

A dict of so many call ids and instants has 13 MB, and the engine would grow by it for hours.
"""

from array import array
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

CALLS = 50_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class EndedCalls:
    """`calls`: so many are remembered at least, and twice as many at most.

    There are two tables. When the younger one is full, it becomes the older one, and the former older one is
    dropped.
    """

    def __init__(self, calls: int = CALLS) -> None:
        self._calls = calls
        self._younger, self._older = _Table(calls), _Table(calls)

    def add(self, call_id: str, ended: datetime) -> None:
        """`ended`: with a time zone."""
        if self._younger.used == self._calls:
            self._younger, self._older = _Table(self._calls), self._younger
        self._younger.put(_key(call_id), (ended - EPOCH) // MICROSECOND)

    def get(self, call_id: str) -> datetime | None:
        """Return when the call ended; None if that is not remembered."""
        key = _key(call_id)
        ended = self._younger.get(key) or self._older.get(key)
        return EPOCH + ended * MICROSECOND if ended else None


def _key(call_id: str) -> int:
    """64 bits, not 0. Among 100,000 calls no two have the same, but once in four billion times."""
    return int.from_bytes(blake2b(call_id.encode(), digest_size=8).digest()) or 1


class _Table:
    """Microseconds since 1970 by key: open addressing with linear probing. 0 is an empty slot."""

    def __init__(self, most: int) -> None:
        self.used = 0
        self._slots = 1 << (2 * most).bit_length()  # half of them are used at most
        self._keys, self._ended = array("Q", bytes(8 * self._slots)), array("q", bytes(8 * self._slots))

    def put(self, key: int, ended: int) -> None:
        slot = self._slot(key)
        self.used += not self._keys[slot]
        self._keys[slot], self._ended[slot] = key, ended

    def get(self, key: int) -> int:
        """0 without the key."""
        return self._ended[self._slot(key)]

    def _slot(self, key: int) -> int:
        """Where the key is, or would be."""
        slot = key % self._slots
        while self._keys[slot] not in (0, key):
            slot = (slot + 1) % self._slots
        return slot
