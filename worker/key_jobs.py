"""The worker's jobs for keys: overwrite destroyed ones, and publish for backups what was destroyed."""

from collections.abc import Sequence
from datetime import timedelta

from storage.key_wrapper import KeyWrapper
from storage.objects import Objects
from worker.job import Work
from worker.key_rotation import KeyRotation
from worker.publishing import Publishing


class KeyJobs:
    """`rotation`: how old a destroyed key may become that the database's files still hold."""

    def __init__(self, objects: Objects, key_wrapper: KeyWrapper, rotation: timedelta) -> None:
        self._rotation = KeyRotation(key_wrapper, rotation)
        self.jobs: list[Work] = [self._rotation.job, Publishing(objects, key_wrapper).job]

    @property
    def troubles(self) -> Sequence[str]:
        return self._rotation.troubles
