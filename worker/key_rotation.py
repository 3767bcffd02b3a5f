"""The worker's job that rotates keys, so that destroyed ones are gone from the database's files too."""

from datetime import timedelta

import asyncpg
import structlog

from storage.key_wrapper import KeyWrapper, MasterKeyError, SealBroken
from storage.rotation import Rotation
from worker.job import Job

ROTATE_SECONDS = 10.0
log = structlog.get_logger()


class KeyRotation:
    """Rotates keys at most once in `every`. `troubles`: why keys are not rotated."""

    def __init__(self, key_wrapper: KeyWrapper, every: timedelta) -> None:
        self.job = Job("rotate keys", self._rotate, ROTATE_SECONDS)
        self.troubles: list[str] = []
        self._rotation = Rotation(key_wrapper, every)

    async def _rotate(self, con: asyncpg.Connection) -> bool:
        """Where a group key does not open, nothing is overwritten, so that an operator can restore it."""
        try:
            more = await self._rotation.step(con)
        except (MasterKeyError, SealBroken) as wrong:
            if not self.troubles:
                log.critical("keys_not_rotated", error=str(wrong))
            self.troubles = [f"keys are not rotated, destroyed ones stay in the database's files: {wrong}"]
            return False
        self.troubles = []
        return more
