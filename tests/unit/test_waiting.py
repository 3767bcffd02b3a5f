"""How long a caller waits for an engine that has died, is slow, or is restarted."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from engine.ari.client import Client
from engine.ari.errors import Gone
from engine.ari.waiting import LEASE, RENEWALS, RETURN_SECONDS, WAIT_SECONDS, Waiting, outlast

DIALPLAN = Path(__file__).parents[2] / "asterisk" / "etc" / "extensions.conf"
ONE, TWO = "dev-1.0", "dev-2.0"

pytestmark = pytest.mark.looptime


class Asterisk:
    """One that gives leases, each of which takes a second.

    `left`: what a caller has of theirs, in seconds.
    """

    def __init__(self, left: str = "") -> None:
        self.leases: list[tuple[str, Any]] = []
        self.channels = self
        self._left = left

    async def set_channel_vars(self, channel_id: str, variables: dict[str, Any]) -> None:
        await asyncio.sleep(1)
        self.leases.append((channel_id, variables[LEASE]))
        raise Gone(404, "the caller has left")  # which is ignored

    async def get_channel_var(self, channel_id: str, variable: str) -> str:
        assert variable == LEASE
        return self._left


def client(asterisk: Asterisk) -> Client:
    return cast(Client, asterisk)


def test_the_dialplan_has_the_same_times() -> None:
    leases = re.findall(
        r"TIMEOUT\(absolute\)=\$\{IF\(.*? > \$\{EPOCH\}\]\?(.*?):(.*?)\)\}", DIALPLAN.read_text()
    )
    assert [(float(back), float(wait)) for back, wait in leases] == [(RETURN_SECONDS, WAIT_SECONDS)] * 2


async def test_a_slow_engine_renews_the_lease_of_those_who_wait_longer_than_a_sign_of_life() -> None:
    waiting, asterisk = Waiting(), Asterisk()
    waiting.add(ONE)
    await waiting.renew(client(asterisk))
    assert asterisk.leases == []
    waiting.add(TWO)
    await waiting.renew(client(asterisk))
    assert asterisk.leases == [(ONE, str(WAIT_SECONDS))]


async def test_but_not_for_ever() -> None:
    waiting, asterisk = Waiting(), Asterisk()
    waiting.add(ONE)
    for _ in range(100):
        await waiting.renew(client(asterisk))
    assert len(asterisk.leases) == RENEWALS


async def test_a_step_begins_after_the_renewal_that_is_on_its_way() -> None:
    waiting, asterisk = Waiting(), Asterisk()
    waiting.add(ONE)
    waiting.add(TWO)
    await waiting.renew(client(asterisk))
    waiting.discard(TWO)
    renewing = asyncio.create_task(waiting.renew(client(asterisk)))
    await asyncio.sleep(0.5)
    await waiting.taken(TWO)
    assert not renewing.done()
    await waiting.taken(ONE)
    assert asterisk.leases == [(ONE, str(WAIT_SECONDS))]
    await renewing
    await waiting.renew(client(asterisk))
    assert len(asterisk.leases) == 1


async def test_an_engine_that_stops_lets_them_wait_for_the_next_one() -> None:
    waiting, asterisk = Waiting(), Asterisk()
    waiting.add(ONE)
    waiting.add(TWO)
    await waiting.taken(TWO)
    await waiting.leave(client(asterisk))
    assert asterisk.leases == [(ONE, str(RETURN_SECONDS))]


@pytest.mark.parametrize(("left", "given"), [("1.2", 1), ("31.5", 0), ("0", 0), ("?", 0)])
async def test_the_next_one_gives_them_time_to_read_their_route(left: str, given: int) -> None:
    asterisk = Asterisk(left)
    await outlast(client(asterisk), ONE, datetime.now(UTC) - timedelta(seconds=0.6))
    assert [(channel, round(float(lease), 1)) for channel, lease in asterisk.leases] == [(ONE, 4.4)] * given


@pytest.mark.parametrize(("waited", "given"), [(-3600, [5.0]), (0, [5.0]), (3, [2.0]), (4, []), (60, [])])
async def test_engines_that_die_one_after_the_other_let_a_caller_wait_as_long_as_one(
    waited: float, given: list[float]
) -> None:
    """A caller who came in the future did so before the clock was set back."""
    asterisk = Asterisk("1.2")
    await outlast(client(asterisk), ONE, datetime.now(UTC) - timedelta(seconds=waited))
    assert [round(float(lease), 1) for _, lease in asterisk.leases] == given
