"""The marker: proof that the link is alive. (The link itself is tested on real sockets.)"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import Unavailable
from engine.ari.events import ChannelUserevent
from engine.ari.http import Value
from engine.ari.link import marker
from engine.ari.operations import Events

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)

pytestmark = pytest.mark.looptime


class Loopback:
    """A wire whose far end does `then` with every user event that is sent."""

    def __init__(self, then: Callable[[str], None]) -> None:
        self._then = then

    async def send(self, verb: str, path: str, /, *, json: Any = None, **params: Value) -> Any:
        self._then(str(params["eventName"]))


def client(wire: Loopback) -> Client:
    made = Client("http://127.0.0.1:1/ari", "engine", "unused")
    made.events = Events(wire)
    return made


@pytest.fixture
def dispatcher() -> Dispatcher:
    return Dispatcher(lambda _: None)


async def test_a_marker_that_comes_back_brings_its_instant(dispatcher: Dispatcher) -> None:
    wire = Loopback(lambda name: dispatcher.dispatch(ChannelUserevent(AT, name)))
    assert await marker(client(wire), dispatcher, "engine", 2) == AT


async def test_a_marker_that_does_not_come_back_means_a_deaf_link(dispatcher: Dispatcher) -> None:
    with pytest.raises(TimeoutError):
        await marker(client(Loopback(lambda _: None)), dispatcher, "engine", 2)


async def test_another_s_marker_proves_nothing(dispatcher: Dispatcher) -> None:
    wire = Loopback(lambda name: dispatcher.dispatch(ChannelUserevent(AT, "x" + name)))
    with pytest.raises(TimeoutError):
        await marker(client(wire), dispatcher, "engine", 2)


async def test_a_marker_that_cannot_be_sent_says_so(dispatcher: Dispatcher) -> None:
    sent: list[str] = []

    def refuse(name: str) -> None:
        sent.append(name)
        raise Unavailable(0, "no Asterisk")

    with pytest.raises(Unavailable):
        await marker(client(Loopback(refuse)), dispatcher, "engine", 2)
    dispatcher.dispatch(ChannelUserevent(AT, sent[0]))
    assert dispatcher.unclaimed == 1
