"""A step begins in one piece: lease and first command reach Asterisk together, or neither does."""

import socket
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest

from engine.ari.http import Http
from tests.lateness import PATIENCE
from tests.live.agreed import PROMPTS
from tests.live.ari import ask
from tests.live.mails import BEEP_HZ
from tests.live.service import House, Service, until
from tests.live.test_voicemail_taken_over import breaking_at
from tests.tiers import first_light

LEASED = "ari.after POST /channels/{channelId}/variables"
MENU = {"prompt": "long", "keys": {"1": [{"announce": "welcome"}]}, "seconds": 20}
# The step, which of its leases is the last one, and what the caller hears after that.
STEPS: dict[str, tuple[dict[str, Any], int, int]] = {
    "announce": ({"announce": "welcome"}, 1, PROMPTS["welcome"]),
    "menu": ({"menu": MENU}, 1, PROMPTS["long"]),
    "voicemail": ({"voicemail": {"greeting": "welcome"}}, 2, BEEP_HZ),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", first_light("announce", "menu", "voicemail"))
async def test_a_caller_with_a_lease_hears_something_though_the_engine_has_died_since(
    service: Service, kind: str
) -> None:
    """With a lease alone the caller would wait in silence for the next engine, and not reach the fallback."""
    step, nth, heard = STEPS[kind]
    (number,) = service.house.agree([step])
    async with breaking_at(service.house, f"{LEASED}:{nth}"):
        caller = await service.call(number)
        await caller.hears(heard, 5)
    await caller.hang_up()
    await service.record(number)


async def test_asterisk_carries_out_two_commands_of_an_engine_that_died_when_it_had_sent_them(
    service: Service,
) -> None:
    (number,) = service.house.agree([{"menu": MENU}])
    caller = await service.call(number)
    await caller.hears(PROMPTS["long"])
    endpoint = service.house.endpoint
    (channel,) = (it["id"] for it in ask(endpoint, "/channels"))
    playback = ask(endpoint, f"/channels/{channel}/variable?variable=PLAYBACK")["value"]
    ask(endpoint, f"/playbacks/{playback}", "DELETE")
    commands = Http(endpoint.ari_url, endpoint.ari_user, endpoint.ari_password).command
    for n in map(str, range(20)):
        both = [
            commands("POST", f"/channels/{channel}/variables", json={"variables": {mark: n}})
            for mark in ("FIRST", "SECOND")
        ]
        send_and_close(endpoint.ari_url, b"".join(command.request for command in both))
        for mark in ("FIRST", "SECOND"):
            await until(partial(has, service.house, channel, mark, n))
    await caller.hang_up()
    await service.record(number)


def has(house: House, channel: str, variable: str, value: str) -> bool:
    with suppress(HTTPError):  # it is not set yet
        return bool(
            ask(house.endpoint, f"/channels/{channel}/variable?variable={variable}")["value"] == value
        )
    return False


def send_and_close(url: str, requests: bytes) -> None:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as connection:
        connection.sendall(requests)
