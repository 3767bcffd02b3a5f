"""The scenes of `callengine demo`: real calls, shown as they happen. A missing event raises."""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np
import soundfile
from rich.console import Console

from config.prompts import VOICES
from devkit import demo_routing as numbers
from devkit.audio import RATE, Samples, correlation, level, read_wav
from devkit.beside import callengine, listed
from devkit.carrier import Arrival, Carrier
from devkit.handset import Handset
from devkit.phones import WITHHELD, Identity, Phones, shown
from devkit.stack import Stack

CALLER = "+3225551234"
HZ = 1000  # the caller's tone
BEEP_HZ = 1000
ALIKE = 0.95  # correlation of the same audio


@dataclass
class Stage:
    """Telephones, carrier and run, and the console that shows what happens."""

    telephones: Phones
    network: Carrier
    run: Stack
    console: Console
    began: float = field(default_factory=time.monotonic)

    def show(self, line: str) -> None:
        self.console.print(f"  {time.monotonic() - self.began:5.1f} s  {line}", highlight=False)

    async def call(self, number: str, who: Identity, says: Sequence[float] = (HZ,)) -> Handset:
        """Place a call; the caller plays a tone of HZ throughout."""
        self.began = time.monotonic()
        self.show(f"a caller dials {number}")
        return await self.telephones.dial(number, self.run.sip, who, says=says)

    async def reaches(self, destination: str) -> Arrival:
        """Wait until the carrier gets a call to this destination."""
        count = 1 + sum(arrival.number == destination for arrival in self.network.arrivals)
        arrival = await self.network.arrival(destination, count)
        self.show(f"{destination} is called")
        return arrival

    async def mail_with_sound(self, seconds: float = 10) -> dict[str, Any]:
        """Wait for the mail of a message, and return it as the mailbox lists it. Raises TimeoutError."""
        async with asyncio.timeout(seconds), aiohttp.ClientSession() as web:
            while True:
                async with web.get(f"{self.run.mailbox}/messages") as reply:
                    mails: list[dict[str, Any]] = await reply.json()
                for mail in mails:
                    if mail["attachments"]:
                        return mail
                await asyncio.sleep(0.1)

    async def sound(self, path: str) -> Samples:
        """The decoded attachment of a mail."""
        async with aiohttp.ClientSession() as web, web.get(f"{self.run.mailbox}{path}") as reply:
            samples, _ = soundfile.read(io.BytesIO(await reply.read()), dtype="int16")
        return np.asarray(samples, np.int16)

    async def talk(self, caller: Handset, arrival: Arrival, hz: float) -> None:
        """Wait for the answer, measure both directions, talk on for a second, hang up."""
        destination = await self.network.handset_of(arrival)
        await caller.wait_answered()
        self.show("answered")
        there, here = await asyncio.gather(destination.hears(HZ), caller.hears(hz))
        self.show(f"the destination hears the caller's {HZ} Hz at {there:.2f} (sent at 0.30)")
        self.show(f"the caller hears the destination's {hz:.0f} Hz at {here:.2f}")
        await asyncio.sleep(1)
        await caller.hang_up()
        await destination.wait_ended()
        self.show("the caller hangs up")


async def answered(stage: Stage) -> None:
    coming = asyncio.create_task(stage.reaches(numbers.OFFICE))
    caller = await stage.call(numbers.OPEN, shown(CALLER))
    await caller.hears(numbers.CHIME[0])
    stage.show("the caller hears the welcome, and pays nothing for it: the call is not answered yet")
    await stage.talk(caller, await coming, 600)


async def busy_then_next(stage: Stage) -> None:
    engaged = asyncio.create_task(stage.reaches(numbers.ENGAGED))
    colleague = asyncio.create_task(stage.reaches(numbers.COLLEAGUE))
    caller = await stage.call(numbers.BUSY_FIRST, shown(CALLER))
    await engaged
    stage.show(f"{numbers.ENGAGED} is busy (486): the route's `busy` branch is taken")
    await stage.talk(caller, await colleague, 800)


async def nobody_answers(stage: Stage) -> None:
    coming = asyncio.create_task(stage.reaches(numbers.ABSENT))
    caller = await stage.call(numbers.NOBODY, shown(CALLER))
    await coming
    stage.show("it rings, for the 5 s of the route")
    stage.show(f"the caller's call ends: {await caller.wait_ended()}")


async def gives_up(stage: Stage) -> None:
    coming = asyncio.create_task(stage.reaches(numbers.ABSENT))
    caller = await stage.call(numbers.NOBODY, shown(CALLER))
    absent = await coming
    await asyncio.sleep(1)
    await caller.hang_up()
    await caller.wait_ended()
    stage.show("the caller gives up")
    await until(lambda: absent.cancelled)
    stage.show(f"{numbers.ABSENT} stops ringing")


async def withheld(stage: Stage) -> None:
    coming = asyncio.create_task(stage.reaches(numbers.OFFICE))
    caller = await stage.call(numbers.OPEN, WITHHELD["asserted and private"](CALLER))
    arrival = await coming
    stage.show(f"the destination is shown: {arrival.invite.one('From').partition(';tag=')[0]}")
    await stage.talk(caller, arrival, 600)
    digits = CALLER.removeprefix("+")
    seen = sum(digits in message for message in stage.network.messages_of(arrival))
    stage.show(f"messages towards the destination that hold the caller's number: {seen}")
    if seen:
        raise AssertionError("a withheld number was revealed")


async def recorded(stage: Stage) -> None:
    coming = asyncio.create_task(stage.reaches(numbers.OFFICE))
    caller = await stage.call(numbers.RECORDED, shown(CALLER))
    destination = await stage.network.handset_of(await coming, 10)
    await caller.wait_answered()
    notice = read_wav(VOICES / "en" / "recording-announcement.wav")[RATE // 20 :]  # it begins with silence
    heard = [correlation(notice, who.heard) for who in (caller, destination)]
    stage.show(f'first the caller, then the destination hears "This call will be recorded": {both(heard)}')
    await asyncio.gather(destination.hears(HZ), caller.hears(600))
    await asyncio.sleep(2)
    await caller.hang_up()
    await destination.wait_ended()
    stage.show("they have talked, and the caller hangs up")
    (recording,) = await stored(stage)
    sound = await callengine(stage.run, "recordings", "fetch", recording["recording_id"], "--output", "-")
    caller_side, other_side = soundfile.read(io.BytesIO(sound), dtype="int16")[0].T
    there = [level(caller_side, HZ), level(other_side, 600)]
    crossed = [level(caller_side, 600), level(other_side, HZ)]
    kept_until = recording["destroy_after"]
    stage.show(f"recorded, {recording['seconds']:.1f} s as {recording['format']}, kept until {kept_until}")
    stage.show(f"the caller left, the destination right, at {both(there)}; of the other {both(crossed)}")
    if min(heard) < ALIKE or min(there) < 0.2 or max(crossed) > 0.01:
        raise AssertionError("the recording differs from what was said")


def both(levels: Sequence[float]) -> str:
    return " and ".join(f"{level:.2f}" for level in levels)


async def stored(stage: Stage, seconds: float = 10) -> list[dict[str, Any]]:
    """The recordings, once there are some and all are stored. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            recordings = await listed(stage.run, "recordings", "list")
            if recordings and all(recording["state"] == "stored" for recording in recordings):
                return recordings
            await asyncio.sleep(0.1)


async def closed(stage: Stage) -> None:
    caller = await stage.call(numbers.CLOSED, shown(CALLER))
    await caller.hears(numbers.LOW_CHIME[0])
    stage.show("the caller hears the prompt `closed`")
    stage.show(f"the caller's call ends: {await caller.wait_ended()}")


async def chooses(stage: Stage) -> None:
    coming = asyncio.create_task(stage.reaches(numbers.COLLEAGUE))
    caller = await stage.call(numbers.MENU, shown(CALLER))
    await caller.hears(numbers.CHOICE[0])
    await caller.press("2")
    stage.show("the caller hears the menu and presses 2, which ends the prompt")
    await stage.talk(caller, await coming, 800)


async def leaves_a_message(stage: Stage) -> None:
    caller = await stage.call(numbers.VOICEMAIL, shown(CALLER), says=())
    await caller.hears(BEEP_HZ, 10)
    stage.show("the caller has heard the greeting and the beep")
    await asyncio.sleep(0.5)  # as people do; then the beep is over
    caller.play(said := message())
    await caller.wait_said()
    await asyncio.sleep(0.3)
    await caller.hang_up()
    stage.show(f"the caller has spoken for {len(said) / RATE:.1f} s and hangs up")
    mail = await stage.mail_with_sound()
    stage.show(f"a mail arrives for {mail['recipients'][0]}, over {mail['tls']}: {mail['subject']}")
    (file,) = mail["attachments"]
    alike = correlation(said, await stage.sound(file["href"]))
    stage.show(f"{file['name']} ({file['size']} bytes) plays what was said: correlation {alike:.2f}")
    if alike < ALIKE:
        raise AssertionError("the attachment differs from what was said")


def message() -> Samples:
    """The caller's words: a built-in prompt."""
    return np.concatenate([read_wav(VOICES / "en" / f"{name}.wav") for name in ("greeting", "goodbye")])


SCENES: Sequence[tuple[str, Callable[[Stage], Awaitable[None]]]] = (
    ("Answered", answered),
    ("Busy, then the next step", busy_then_next),
    ("Nobody answers", nobody_answers),
    ("The caller gives up", gives_up),
    ("A withheld caller", withheld),
    ("A menu: the caller presses 2", chooses),
    ("Announced, and recorded", recorded),
    ("Closed at this hour", closed),
    ("Nobody there: a message", leaves_a_message),
)


async def until(condition: Callable[[], object], seconds: float = 5) -> None:
    """Wait until the condition is true. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.02)
