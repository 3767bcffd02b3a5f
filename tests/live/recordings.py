"""Numbers that are recorded, what the journal says of their calls, and the files that come to be."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import numpy as np
from watchfiles import Change, awatch

from devkit.audio import RATE, Samples
from devkit.carrier import Behaviour
from storage.parts import Frames, Line, lay
from storage.spool import Spool
from tests.lateness import PATIENCE
from tests.live.agreed import PROMPTS, Route
from tests.live.followed import Json
from tests.live.service import House, Service

NOTICE_HZ = PROMPTS["long"]  # the announcement: 2 s of it
_owners = count(1)


def recorded_number(house: House, to: str, record: str = "announce", **settings: str) -> str:
    """A number that rings `to` and is recorded, with an owner of its own."""
    return recorded_route(house, [{"ring": to}], record, **settings)


def recorded_ringing(service: Service, behaviour: Behaviour, **settings: str) -> tuple[str, str]:
    """A number that is recorded, and the destination that it rings, which does this."""
    if not settings and service.house.ready_recorded:
        number, to = service.house.ready_recorded.pop()
        service.network.behave(to, behaviour)
    else:
        to = service.destination(behaviour)
        number = recorded_number(service.house, to, **settings)
    return number, to


def recorded_route(house: House, route: Route, record: str = "announce", **settings: str) -> str:
    """A number with this route, that is recorded, with an owner of its own."""
    owner = f"recorded{next(_owners)}"
    written = {"name": "ACME", "language": "en", "recording_notice": "long", **settings}
    text = "".join(f"{key}: {value}\n" for key, value in written.items())
    (house.routing / "owners" / f"{owner}.yaml").write_text(text)
    (number,) = house.agree(route, owner=owner, record=record)
    return number


def of_kind(service: Service, number: str, kind: str) -> list[Json]:
    """What the journal says of that kind. An engine after a killed one may say again what CEL told before."""
    found: list[Json] = []
    for entry in service.journal(number):
        if entry["kind"] == kind and entry not in found:
            found.append(entry)
    return found


def instant(entry: Json) -> datetime:
    return datetime.fromisoformat(entry["at"])


@dataclass(frozen=True)
class Kept:
    """What Asterisk records of one conversation, kept in `folder` by second links to its files: the worker
    takes the first ones away as soon as the call is over.
    """

    house: House
    folder: Path
    audio_id: str

    def keep(self) -> None:
        """Keep all that is there by now: a part begins with the recorder, and with each key of a pause."""
        for file in self.house.endpoint.recordings.glob(f"{self.audio_id}-*"):
            with suppress(FileExistsError):
                os.link(file, self.folder / file.name)

    def parts(self) -> list[Path]:
        """The files of the parts that are kept, in their order."""
        return sorted(self.folder.glob(f"{self.audio_id}-*.raw"))

    def is_written(self) -> bool:
        """Whether Asterisk has closed all of them: until then up to 1.02 s of the last is not on the disk."""
        process = self.house.asterisk.process
        assert process is not None
        return {file.stat().st_ino for file in self.parts()}.isdisjoint(open_files(process.pid))

    def sides(self, lasted: float = 0) -> tuple[Samples, Samples]:
        """What the caller said and what the destination said, on one line of time from the recorder's start.

        `lasted`: the seconds from the beginning to the end of the recording, for a call that ends in a pause.
        """
        return sides(lay(Spool(self.folder).read_parts(self.audio_id), lasted))


def sides(line: Line) -> tuple[Samples, Samples]:
    """The samples of the caller, and of the destination; as many of each."""
    blocks: list[Frames] = [np.zeros((0, 2), np.int16), *line.blocks(RATE)]
    caller, destination = np.concatenate(blocks).T
    return caller, destination


def open_files(pid: int) -> Iterator[int]:
    """The inodes of what this process has open."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield descriptor.stat().st_ino


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[set[str]]:
    """The names of all files that come to be in the folder, for however short a time."""
    seen: set[str] = set()
    over, watching = asyncio.Event(), asyncio.Event()

    async def watch() -> None:
        async for changes in awatch(
            folder, step=20, debounce=50, stop_event=over, yield_on_timeout=True, rust_timeout=50
        ):
            watching.set()
            seen.update(Path(path).name for change, path in changes if change is Change.added)

    task = asyncio.create_task(watch())
    await asyncio.wait_for(watching.wait(), PATIENCE)
    yield seen
    await asyncio.sleep(0.2)  # what has come to be just now is told of later
    over.set()
    await task
