"""Hostile messages sent to an Asterisk, and its channels listed all the time."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import batched
from math import inf
from threading import Event, Thread
from urllib.error import HTTPError

from devkit.asterisk import Endpoint
from tests.live.ari import ask
from tests.live.sip import Agent, Call
from tests.live.torture.messages import LARGEST

# An honest call must find the engine's hands free: what a flood leaves waiting is let through in between.
WAITING = 40
LISTED_SECONDS = 30.0  # far longer than any lease


class Watch:
    """Lists the channels all the time, as a recovering engine does.

    `blind`: how long each refusal lasted. `most`: so many calls may wait while the next messages are sent.
    """

    def __init__(self, endpoint: Endpoint, most: int = WAITING) -> None:
        self.endpoint, self.most = endpoint, most
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
        """Wait for a listing that began after now, and until no more than `most` calls are in it."""
        last, deadline = self.asked + 1, time.monotonic() + LISTED_SECONDS
        while self.asked <= last or self.waiting > self.most:
            assert time.monotonic() < deadline, f"{self.waiting} calls wait, longer than any lease"
            time.sleep(0.001)

    @classmethod
    @contextmanager
    def over(cls, endpoint: Endpoint, most: int = WAITING) -> Iterator["Watch"]:
        watch = cls(endpoint, most)
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
                from_here = message.replace(b"SENDER", sender.address.encode())
                sender.send(from_here[:LARGEST], watch.endpoint.sip)
            wait_read(probe, watch.endpoint.sip)
            sender.forget()
            watch.wait_listed()


def wait_read(probe: Agent, sip: str) -> None:
    """Wait until Asterisk has read what came before: it answers in order. Nothing must drop unread."""
    call = Call(probe, sip, "+32")
    call.say(call.request("OPTIONS"))
    probe.expect(lambda reply: f"tag={call.tag}" in reply.text)
