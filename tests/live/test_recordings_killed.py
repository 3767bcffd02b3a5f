"""Recordings survive whatever is killed, and go when they must: the whole service, real calls, a real bucket.

KILLS=n: so many kills, of engine, worker, Asterisk, PostgreSQL (its immediate shutdown) and object store, at
random moments of calls beside each other. What is killed comes back by itself. Two owners: one keeps for
years, the other's deadlines pass within seconds of a call's end. With -s it shows what there was.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from devkit.carrier import Answers, carrier
from devkit.phones import phones
from devkit.ports import reserve_ports
from tests.live.outages import (
    DESTINATION_HZ,
    FLEETING,
    KEEPER,
    LINES,
    Field,
    call_again_and_again,
    kill_at_random,
    write_routing,
)
from tests.live.promises import Rows, hold_against_what_was_promised
from tests.live.test_dev import running_dev
from tests.tiers import first_light

KILLS = int(os.environ.get("KILLS", "5"))
AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

# Owners keep for an hour at least. Of this one that hour is over at once, wherever the sound is by then.
HURRY = """
UPDATE audio SET destroy_after = now() + interval '1 second' * $1::float8
WHERE owner = $2 AND destroy_after > now() + interval '1 minute' AND state IN ('recorded', 'stored')
"""
ROWS = "SELECT audio_id, owner, state, why, seconds::float8 AS seconds FROM audio WHERE kind = 'recording'"


@pytest.fixture
async def somewhere(tmp_path: Path) -> AsyncIterator[Field]:
    routing = tmp_path / "routing"
    write_routing(routing)
    with reserve_ports(1) as (port,):
        address = f"127.0.0.1:{port}"
        with running_dev(routing, tmp_path / "state", "--carrier", address, "--objects", "s3") as dev:
            answers = Answers(after=0.2, says=(DESTINATION_HZ,))
            async with phones() as telephones, carrier(telephones, default=answers, port=port) as network:
                yield Field(dev, telephones, network)


async def hurry(it: Field, dice: random.Random) -> None:
    """Let the deadlines of the one owner pass, a few seconds after each row is there; whatever is away."""
    while True:
        with suppress(*AWAY):
            async with it.database() as con:
                while True:
                    await con.execute(HURRY, dice.uniform(0, 4), FLEETING)
                    await asyncio.sleep(0.1)
        await asyncio.sleep(0.2)


async def settled(it: Field, seconds: float = 90) -> Rows:
    """The rows of all recordings, once no call is left and nothing is on its way."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(*AWAY):
            async with it.database() as con:
                rows = {row["audio_id"]: row for row in await con.fetch(ROWS)}
                if it_is_quiet(it, rows):
                    return rows
        assert time.monotonic() < deadline, told(it, rows)
        await asyncio.sleep(0.2)


def it_is_quiet(it: Field, rows: Rows) -> bool:
    return (
        not lasting(it)
        and set(rows) == set(it.recorded())
        and all(has_come_to_rest(row) for row in rows.values())
    )


def lasting(it: Field) -> list[str]:
    """The calls that have not ended."""
    calls = it.journal().items()
    return [call for call, entries in calls if not any(entry["kind"] == "call_end" for entry in entries)]


def has_come_to_rest(row: asyncpg.Record) -> bool:
    return row["state"] in {"destroyed", "stored" if row["owner"] == KEEPER else "destroyed"}


def told(it: Field, rows: Rows) -> str:
    odd = [dict(row) for row in rows.values() if not has_come_to_rest(row)]
    missing = set(it.recorded()) - set(rows)
    return f"not at rest: {odd}; without a row: {missing}; not ended: {lasting(it)}"


@pytest.mark.timeout(180 + 10 * KILLS)
@pytest.mark.parametrize("kills", first_light(2, KILLS))
async def test_whatever_is_killed_no_recording_is_lost_and_none_kept(somewhere: Field, kills: int) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    dice, over = random.Random(seed), asyncio.Event()
    hurrying = asyncio.create_task(hurry(somewhere, dice))
    callers = [call_again_and_again(somewhere, line, over, dice) for line in range(LINES)]
    calling = asyncio.gather(*callers)
    await asyncio.sleep(2)  # calls are in all their phases then
    await kill_at_random(somewhere, kills, dice)
    over.set()
    await calling
    rows = await settled(somewhere)
    hurrying.cancel()
    await hold_against_what_was_promised(somewhere, rows)
    assert {row["state"] for row in rows.values()} >= {"stored", "destroyed"}
