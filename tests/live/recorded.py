"""A caller and a destination who talk, and are recorded."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg

from devkit.audio import RATE, Samples
from devkit.carrier import Answers
from devkit.handset import Handset
from storage.records import CallRecord
from tests.lateness import PATIENCE
from tests.live.conversation import more_heard
from tests.live.followed import Json
from tests.live.recordings import Kept, instant, of_kind, recorded_ringing
from tests.live.service import Service, until
from tests.live.sinks import callengine
from tests.store.conversations import Stereo, heard

BEFORE_HZ, CALLER_HZ, DESTINATION_HZ = 440, 880, 1000
ABSENT = 0.001  # -60 dB
PRESENT = 0.25
STATE = "SELECT state FROM audio WHERE audio_id = $1"


@dataclass(frozen=True)
class Conversation:
    """Two who talk, and the files that are written meanwhile."""

    service: Service
    number: str
    caller: Handset
    destination: Handset
    kept: Kept

    def noted(self, kind: str) -> list[Json]:
        """What the journal says of that kind."""
        return of_kind(self.service, self.number, kind)

    async def talk(self, seconds: float) -> None:
        """Wait until each has heard the other for so much longer."""
        await asyncio.gather(more_heard(self.caller, seconds), more_heard(self.destination, seconds))

    async def over(self) -> tuple[Samples, Samples]:
        """Let the caller hang up; what was recorded of either side, once all of it is on the disk."""
        await self.hang_up()
        return await self.sides()

    async def hang_up(self) -> None:
        """Let the caller hang up, whether or not an engine is there."""
        self.kept.keep()
        await self.caller.hang_up()
        await self.destination.wait_ended()

    async def sides(self) -> tuple[Samples, Samples]:
        """What was recorded of either side of a call that is over."""
        await until(lambda: self.noted("call_end") and self.kept.is_written())
        (start,), (end,) = self.noted("rec_start"), self.noted("rec_stop") or self.noted("rec_end")
        return self.kept.sides((instant(end) - instant(start)).total_seconds())

    async def record(self) -> CallRecord:
        return await self.service.record(self.number)

    async def comes_to(self, state: str, seconds: float = 2 * PATIENCE) -> None:
        """Wait until the recording is `stored`, or `destroyed`."""
        con = await asyncpg.connect(self.service.house.run.database)
        try:
            async with asyncio.timeout(seconds):
                while await con.fetchval(STATE, self.kept.audio_id) != state:  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.05)
        finally:
            await con.close()

    async def stored(self, seconds: float = 2 * PATIENCE) -> Stereo:
        """The recording as its owner has it, caller and destination, once it is sealed and stored."""
        await self.comes_to("stored", seconds)
        words = ("recordings", "fetch", self.kept.audio_id, "--output", "-")
        return heard(await callengine(self.service.house, *words))


async def recorded(service: Service, folder: Path, **settings: str) -> Conversation:
    """A conversation of a caller who says 880 Hz, and 440 Hz before they have heard that they are recorded.

    `folder`: where its files are kept. `settings`: of the owner.
    """
    number, to = recorded_ringing(service, Answers(after=0.5, says=(DESTINATION_HZ,)), **settings)
    caller = await service.call(number, says=(BEFORE_HZ,))
    await until(lambda: of_kind(service, number, "notice"))
    caller.say(CALLER_HZ)
    destination = await service.network.picked_up(to)
    await asyncio.gather(caller.hears(DESTINATION_HZ), destination.hears(CALLER_HZ))
    await until(lambda: of_kind(service, number, "rec_start"))
    (start,) = of_kind(service, number, "rec_start")
    kept = Kept(service.house, folder, start["audio"])
    kept.keep()
    return Conversation(service, number, caller, destination, kept)


def length(sound: Samples) -> timedelta:
    return timedelta(seconds=len(sound) / RATE)
