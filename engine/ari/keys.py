"""Keys that the caller presses: a short queue, which a flood of them cannot make long.

3,000 a second cost Asterisk 4.3 s of CPU in 3 s (measured); what is done with them here must cost nothing.
"""

import asyncio
from collections import deque
from contextlib import suppress
from datetime import datetime, timedelta

from engine.line import Key

MOST_WAITING = 64
# Nobody presses more; a telephone that dials by itself sends 10 to 12 a second.
MOST_A_SECOND = 10
SECOND = timedelta(seconds=1)


class Keys:
    """What was pressed and not looked at yet, oldest first."""

    def __init__(self) -> None:
        self._pressed: asyncio.Queue[Key] = asyncio.Queue(MOST_WAITING)
        self._latest: deque[datetime] = deque(maxlen=MOST_A_SECOND)

    def press(self, key: Key) -> None:
        """Take a key in, unless there are too many."""
        if len(self._latest) == MOST_A_SECOND and key.at - self._latest[0] < SECOND:
            return
        self._latest.append(key.at)
        with suppress(asyncio.QueueFull):
            self._pressed.put_nowait(key)

    def forget(self) -> None:
        """What was pressed so far means nothing."""
        while not self._pressed.empty():
            self._pressed.get_nowait()

    async def next(self) -> Key:
        """Wait for the next."""
        return await self._pressed.get()

    async def pressed(self, digit: str) -> None:
        """Wait for this key; any other says nothing."""
        while (await self.next()).digit != digit:
            pass
