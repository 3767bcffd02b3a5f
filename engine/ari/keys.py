"""The keys that a caller presses: a short queue, which a flood of keys cannot make long.

A flood of 3,000 keys a second cost Asterisk 4.3 s of CPU in 3 s (measured); it must cost nothing here.
"""

import asyncio
from collections import deque
from contextlib import suppress
from datetime import datetime, timedelta

from engine.line import Key

MOST_WAITING = 64
# No person presses more; a telephone that dials automatically sends 10 to 12 a second.
MOST_A_SECOND = 10
SECOND = timedelta(seconds=1)


class Keys:
    """The keys that were pressed and not read yet, oldest first. `latest`: the digit pressed last, or ""."""

    def __init__(self) -> None:
        self.latest = ""
        self._pressed: asyncio.Queue[Key] = asyncio.Queue(MOST_WAITING)
        self._recent: deque[datetime] = deque(maxlen=MOST_A_SECOND)

    def press(self, key: Key) -> None:
        """Add a key, unless there are too many."""
        self.latest = key.digit
        if len(self._recent) == MOST_A_SECOND and key.at - self._recent[0] < SECOND:
            return
        self._recent.append(key.at)
        with suppress(asyncio.QueueFull):
            self._pressed.put_nowait(key)

    def forget(self) -> None:
        """Drop all keys that were pressed so far."""
        self.latest = ""
        while not self._pressed.empty():
            self._pressed.get_nowait()

    async def next(self) -> Key:
        """Wait for the next key."""
        return await self._pressed.get()

    async def pressed(self, digit: str) -> None:
        """Wait for this key; ignore any other."""
        while (await self.next()).digit != digit:
            pass
