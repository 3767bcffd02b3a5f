"""A real Asterisk for the live tests: one for each test process, and no call left in it after any test."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from engine.dev.asterisk import Asterisk, Endpoint, Options, start_asterisk
from tests.live.sip import Agent, eventually


def ask(endpoint: Endpoint, path: str, method: str = "GET") -> Any:
    """What ARI answers to `path`; raises HTTPError for anything but success. Needs no engine."""
    login = b64encode(f"{endpoint.ari_user}:{endpoint.ari_password}".encode()).decode()
    request = Request(endpoint.ari_url + path, headers={"Authorization": f"Basic {login}"}, method=method)  # noqa: S310 - our own http address
    with urlopen(request, timeout=5) as reply:  # noqa: S310 - the same
        return json.loads(reply.read() or "null")


@pytest.fixture(scope="session")
def carrier() -> Iterator[Agent]:
    """The far end of the trunk: a bare SIP address that Asterisk dials, told what to answer by each test."""
    with Agent() as agent:
        yield agent


@pytest.fixture(scope="session")
def asterisk(tmp_path_factory: pytest.TempPathFactory, carrier: Agent) -> Iterator[Asterisk]:
    """An Asterisk without an engine, its trunk leading to `carrier`."""
    with start_asterisk(tmp_path_factory.mktemp("asterisk"), Options(carrier.address)) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture
def empty(asterisk: Asterisk) -> Iterator[None]:
    """Asked for by every test that places calls: afterwards Asterisk holds no channel and no bridge."""
    yield
    emptied = eventually(lambda: left_in(asterisk.endpoint) == [])
    if not emptied:
        asterisk.cli("channel request hangup all")  # one test's fault must not become the next one's
    assert emptied


def left_in(endpoint: Endpoint) -> list[str]:
    """The channels and bridges that Asterisk holds, those a listing does not show (ghosts) among them."""
    channels = [channel["id"] for channel in ask(endpoint, "/channels")]
    bridges = [bridge["id"] for bridge in ask(endpoint, "/bridges")]
    ghosts = ask(endpoint, f"/applications/{endpoint.app}")["channel_ids"]
    return [*channels, *bridges, *ghosts]


def write_fallbacks(asterisk: Asterisk, table: dict[str, str]) -> None:
    """Let `table` (digits as dialled -> destination) be the fallbacks, in the way of the engine."""
    text = "".join(f"FB_{digits}={destination}\n" for digits, destination in table.items())
    Path(asterisk.endpoint.etc / "fallback.conf").write_text("[globals]\n" + text)
    ask(asterisk.endpoint, "/asterisk/modules/pbx_config.so", "PUT")
