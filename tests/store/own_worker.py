"""A worker as operators have it, a process of its own with nothing hurried, beside a house that it keeps."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from devkit.seaweed import Seaweed
from storage.key_wrapper import KeyWrapper, new_master_key
from tests.lateness import PATIENCE
from tests.store.keeping import House, house_of
from tests.store.test_objects import s3_of


@dataclass
class Keeping:
    """A house, and what its worker is told of it. `folders`: what is on the disk of it, and of its store."""

    house: House
    told: Mapping[str, str]
    folders: list[Path]

    @contextmanager
    def working(self) -> Iterator[subprocess.Popen[bytes]]:
        """The worker works."""
        with (self.house.folder / "log").open("ab") as out:
            command = [sys.executable, "-P", "-m", "cli", "work"]
            worker = subprocess.Popen(command, env=self.environment(), stdout=out, stderr=out)
        try:
            yield worker
        finally:
            worker.terminate()
            worker.wait(PATIENCE)

    def environment(self) -> dict[str, str]:
        """Ours, without the variables of tests, which are no settings; and what it is told."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("CALLENGINE_")}
        return {**ours, **self.told}


@asynccontextmanager
async def keeping(database: str, folder: Path, s3: Seaweed | None, bucket: str) -> AsyncIterator[Keeping]:
    """Its sounds lie in that bucket; without one in a directory."""
    key = new_master_key()
    (folder / "tmp").mkdir()
    told = {
        "CALLENGINE_NODE": "here",
        "CALLENGINE_STATE": str(folder),
        "CALLENGINE_DATABASE": database,
        "CALLENGINE_HTTP__WORKER_PORT": "0",
        "CALLENGINE_MASTER_KEY": key,
        "CALLENGINE_ASTERISK__RECORDINGS": str(folder / "spool"),
        "TMPDIR": str(folder / "tmp"),
    }
    if s3 is not None:
        told |= {
            "CALLENGINE_OBJECTS__BUCKET": bucket,
            "CALLENGINE_OBJECTS__ENDPOINT": s3.endpoint,
            "CALLENGINE_OBJECTS__ACCESS_KEY": s3.access_key,
            "CALLENGINE_OBJECTS__SECRET_KEY": s3.secret_key,
        }
    objects = s3_of(s3, bucket) if s3 else None
    async with house_of(database, folder, objects=objects, key_wrapper=KeyWrapper(key)) as house:
        yield Keeping(house, told, [folder, *([s3.folder] if s3 else [])])
        await house.store.close()
