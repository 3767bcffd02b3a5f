"""Calls are set up as quickly while fifty people read pages of an owner's million calls."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

import aiohttp
import asyncpg
import pytest

from devkit.carrier import Answers, carrier
from devkit.phones import Phones, phones, shown
from devkit.stack import Stack, Wish, stack
from storage.calls import find
from tests.live.agreed import new_caller, write_numbers, write_owner
from tests.live.visiting import Visit
from tests.store.test_portal_many import FILL, MANY, READING_SECONDS, USERS
from tests.tiers import heavy

RATE, CALLS = 5.0, 150
SERVICE, OFFICE = "+3280000001", "+3221112233"
PAGES = ("/", "/calls", "/messages", "/recordings", "/numbers", "/accesses")
# Beyond p50 and p99 of before: two cores serve the calls, the pages, and the telephones of both ends.
MORE_P50, MORE_P99 = 0.003, 0.05  # s


@heavy
@pytest.mark.alone
@pytest.mark.timeout(1200)
async def test_the_setup_of_calls_does_not_wait_for_the_portal(tmp_path: Path) -> None:
    write_owner(routing := tmp_path / "routing")
    write_numbers(routing / "numbers" / "one", {SERVICE: {"route": [{"ring": OFFICE}]}})
    async with AsyncExitStack() as opened:
        telephones = await opened.enter_async_context(phones())
        network = await opened.enter_async_context(carrier(telephones, {OFFICE: Answers()}))
        wish = Wish(routing, tmp_path / "state", network.address, portal=True)
        run = await opened.enter_async_context(stack(wish, print))
        await fill(run)
        await setups(run, telephones)  # the first calls are slower, with and without pages
        alone = await setups(run, telephones)
        async with read_by_many(run) as pages:
            beside = await setups(run, telephones)
    report = f"alone {told(alone)}; beside {pages[0]} pages {told(beside)}"
    print(report)
    assert pages[0] > USERS, report
    assert beside[49] < alone[49] + MORE_P50, report
    assert beside[98] < alone[98] + MORE_P99, report


async def fill(run: Stack) -> None:
    con = await asyncpg.connect(run.database)
    await con.execute(FILL.format(many=MANY), timeout=600)
    await con.execute("VACUUM ANALYZE call, leg", timeout=600)
    await con.close()


async def setups(run: Stack, telephones: Phones) -> list[float]:
    """The percentiles of the time, in s, from a call's arrival to its leg, by Asterisk's clock."""
    since, talking = datetime.now(UTC), []
    for _ in range(CALLS):
        talking.append(asyncio.create_task(one_call(run, telephones)))
        await asyncio.sleep(1 / RATE)  # the rate of the calls
    await asyncio.gather(*talking)
    con = await asyncpg.connect(run.database)
    async with asyncio.timeout(60):
        while len(records := [it async for it in find(con, SERVICE, since)]) < CALLS:  # noqa: ASYNC110 - of no event
            await asyncio.sleep(0.2)
    await con.close()
    return quantiles([(it.legs[0].began - it.began).total_seconds() for it in records], n=100)


async def one_call(run: Stack, telephones: Phones) -> None:
    caller = await telephones.dial(SERVICE, run.sip, shown(new_caller()))
    await caller.wait_answered()
    await caller.hang_up()
    await caller.wait_ended()


@asynccontextmanager
async def read_by_many(run: Stack) -> AsyncIterator[list[int]]:
    """Fifty people read in the block; the number of pages so far."""
    visit = await asyncio.to_thread(
        Visit, {"portal": run.portal, "mailbox": run.mailbox}, "office@acme.example"
    )
    pages = [0]
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookies=visit.cookies, cookie_jar=jar) as session:
        readers = [asyncio.create_task(read(session, f"{run.portal}", pages, n)) for n in range(USERS)]
        yield pages
        for reader in readers:
            reader.cancel()
        ends = await asyncio.gather(*readers, return_exceptions=True)
        assert {type(end) for end in ends} == {asyncio.CancelledError}, ends


async def read(session: aiohttp.ClientSession, portal: str, pages: list[int], n: int) -> None:
    person = random.Random(n)
    while True:
        await asyncio.sleep(person.uniform(0, 2 * READING_SECONDS))  # the person reads
        async with session.get(portal + person.choice(PAGES)) as reply:
            await reply.read()
            assert reply.status == 200
        pages[0] += 1


def told(percentiles: list[float]) -> str:
    return f"p50 {1000 * percentiles[49]:.1f}, p99 {1000 * percentiles[98]:.1f} ms"
