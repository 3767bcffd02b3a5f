"""Numbers that are recorded, what the journal says of their calls, and the files that come to be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

from watchfiles import Change, awatch

from tests.live.service import PROMPTS, House, Json, Route, Service

NOTICE_HZ = PROMPTS["long"]  # the announcement: 2 s of it
_owners = count(1)


def recorded_number(house: House, to: str, record: str = "announce", **settings: str) -> str:
    """A number that rings `to` and is recorded, with an owner of its own."""
    return recorded_route(house, [{"ring": to}], record, **settings)


def recorded_route(house: House, route: Route, record: str = "announce", **settings: str) -> str:
    """A number with this route, that is recorded, with an owner of its own."""
    owner = f"recorded{next(_owners)}"
    written = {"name": "ACME", "language": "en", "recording_notice": "long", **settings}
    text = "".join(f"{key}: {value}\n" for key, value in written.items())
    (house.routing / "owners" / f"{owner}.yaml").write_text(text)
    (number,) = house.agree(route, owner=owner, record=record)
    return number


def of_kind(service: Service, number: str, kind: str) -> list[Json]:
    return [entry for entry in service.journal(number) if entry["kind"] == kind]


def instant(entry: Json) -> datetime:
    return datetime.fromisoformat(entry["at"])


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
    await asyncio.wait_for(watching.wait(), 5)
    yield seen
    await asyncio.sleep(0.2)
    over.set()
    await task
