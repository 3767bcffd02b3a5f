"""Whatever the network sends: Asterisk lives, its calls can be listed, the next honest call succeeds."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import batched
from math import inf
from threading import Event, Thread
from urllib.error import HTTPError

import pytest

from devkit.asterisk import Endpoint
from devkit.carrier import Answers
from tests.lateness import PATIENCE, late
from tests.live.ari import ask
from tests.live.service import House, Service
from tests.live.sip import Agent, Call
from tests.live.torture.messages import cases, mutations
from tests.tiers import first_light

SEED = 4475
# An honest call must find the engine's hands free: what a flood leaves waiting is let through in between.
WAITING = 40
# The numbers that hostile messages are for. One of them, cut or with a digit changed, must not be a number
# that another test is given later: a mutation of +3280000077 once left a second record on +3280000078.
TORTURED, MUTATED = "+31888888888", "+31777777777"


class Watch:
    """Lists the channels all the time, as a recovering engine does. `blind`: how long each refusal lasted."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.asked, self.waiting = 0, 0
        self.blind: list[float] = []
        self._over = Event()

    def look(self) -> None:
        seen = time.monotonic()
        refused = False
        while not self._over.is_set():
            try:
                self.waiting = len(ask(self.endpoint, "/channels"))
                if refused:
                    self.blind.append(time.monotonic() - seen)
                refused, seen = False, time.monotonic()
            except HTTPError:
                refused = True
            self.asked += 1
        if refused:
            self.blind.append(inf)

    def wait_listed(self) -> None:
        """Wait for a listing that began after now, and until no more than WAITING calls are in it."""
        last, deadline = self.asked + 1, time.monotonic() + PATIENCE
        while self.asked <= last or self.waiting > WAITING:
            assert time.monotonic() < deadline, f"{self.waiting} calls wait, longer than any lease"
            time.sleep(0.001)

    @classmethod
    @contextmanager
    def over(cls, endpoint: Endpoint) -> Iterator["Watch"]:
        watch = cls(endpoint)
        thread = Thread(target=watch.look)
        thread.start()
        try:
            yield watch
        finally:
            watch._over.set()
            thread.join()


def attack(watch: Watch, messages: Iterable[bytes], batch: int) -> None:
    """Send them all, and have the channels listed after each batch."""
    with Agent() as sender, Agent() as probe:
        for group in batched(messages, batch, strict=False):
            for message in group:
                sender.send(message.replace(b"SENDER", sender.address.encode()), watch.endpoint.sip)
            wait_read(probe, watch.endpoint.sip)
            sender.forget()
            watch.wait_listed()


def wait_read(probe: Agent, sip: str) -> None:
    """Wait until Asterisk has read what came before: it answers in order. Nothing must drop unread."""
    call = Call(probe, sip, "+32")
    call.say(call.request("OPTIONS"))
    probe.expect(lambda reply: f"tag={call.tag}" in reply.text)


@contextmanager
def unharmed(house: House) -> Iterator[Watch]:
    """Through all of it the same processes live, and the channels can be listed, but for `watch.blind`."""
    before = processes(house)
    with Watch.over(house.endpoint) as watch:
        yield watch
    assert watch.asked > 0
    assert processes(house) == before


def processes(house: House) -> dict[str, int | None]:
    return {part.name: part.process.pid if part.process else None for part in house.run.parts}


async def call_honestly(service: Service) -> None:
    """A call through the engine to a destination that answers at once, in a moment."""
    number, _ = service.ringing(Answers())
    began = time.monotonic()
    caller = await service.call(number)
    await caller.wait_answered()
    assert time.monotonic() - began < 2 + late().total_seconds()
    await caller.hang_up()


async def test_after_every_torture_of_rfc_4475_the_next_honest_call_succeeds(service: Service) -> None:
    service.house.write({TORTURED: {"route": [{"hangup": "busy"}]}})
    strange = cases()
    assert len({case.section for case in strange}) == 49
    with unharmed(service.house) as watch:
        names = {"target": watch.endpoint.sip, "number": TORTURED}
        messages = [case.written(unique=f"t{n}", **names) for n, case in enumerate(strange)]
        await asyncio.to_thread(attack, watch, messages, 1)
        await call_honestly(service)
    assert watch.blind == []
    await service.records(TORTURED, 8)  # eight of them are calls, after all


@pytest.mark.parametrize("count", first_light(500, 5_000))
async def test_after_mutations_the_next_honest_call_succeeds(service: Service, count: int) -> None:
    service.house.write({MUTATED: {"route": [{"hangup": "busy"}]}})
    with unharmed(service.house) as watch:
        messages = mutations(SEED, count, target=watch.endpoint.sip, number=MUTATED)
        await asyncio.to_thread(attack, watch, messages, 25)
        await call_honestly(service)
    await service.records(MUTATED, count // 10)  # about an eighth of them are calls
