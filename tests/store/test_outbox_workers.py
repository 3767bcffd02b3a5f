"""Several outbox workers, one after the other and at the same time: each mail is sent once."""

import asyncio
from collections.abc import Collection
from dataclasses import replace

import asyncpg
import pytest

from mailer.outbox import LOCK_OF_NODE, Claim, Terms, claim, give_all_back, taken
from tests.lateness import PATIENCE
from tests.store.posting import TERMS, Transports, message_id, office, own
from tests.store.smtp import Ways, mail_server
from tests.store.test_outbox import NOBODY


async def test_a_worker_that_starts_again_has_what_its_predecessor_had_in_hand(database: str) -> None:
    async with office(database, NOBODY) as it:
        await it.leave(1)
        await it.leave(2)
        async with taken(it.pool) as old, taken(it.pool) as new:
            assert await give_all_back(old, "here")
            assert await claim(old, TERMS)
            assert not await give_all_back(new, "here"), "it is alive: its lock is held"
            assert await claim(new, replace(TERMS, node="elsewhere"))
            assert await claim(new, TERMS) is None
            await old.close()  # as killed
            async with asyncio.timeout(PATIENCE):  # PostgreSQL notices in its own time
                await new.fetchval("SELECT pg_advisory_lock($1, hashtext('here'))", LOCK_OF_NODE)
            assert await give_all_back(new, "here")
            mine = await claim(new, TERMS)
            assert mine
            assert mine.message_id == message_id(1), "not what another node has in hand"
            assert await claim(new, TERMS) is None


async def test_a_courier_waits_for_the_end_of_its_predecessor_and_sends_what_that_had_in_hand(
    database: str,
) -> None:
    async with mail_server() as kept, office(database, Transports({"acme.example": [own(kept)]})) as it:
        await it.leave(1)
        async with taken(it.pool) as killed:
            assert await give_all_back(killed, TERMS.node)
            assert await claim(killed, TERMS)
            sending = [asyncio.create_task(it.outbox_worker.run(it.pool))]
            await asyncio.sleep(0.5)  # in which nothing must happen
            assert kept.mails == []
            await killed.close()
        await kept.has(1, PATIENCE)
        await stopped(sending)
        assert len(kept.mails) == 1


async def test_a_claim_whose_answer_was_lost_is_given_back(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database stored it, and its answer did not arrive: the mail must not wait for the lease's end."""
    lost: list[Claim | None] = []

    async def without_an_answer_at_first(
        con: asyncpg.Connection, terms: Terms, full: Collection[str]
    ) -> Claim | None:
        claimed = await claim(con, terms, full)
        if claimed and not lost:
            lost.append(claimed)
            raise TimeoutError
        return claimed

    monkeypatch.setattr("mailer.outbox_worker.claim", without_an_answer_at_first)
    async with mail_server() as kept, office(database, Transports({"acme.example": [own(kept)]})) as it:
        await it.leave(1)
        sending = [asyncio.create_task(it.outbox_worker.run(it.pool))]
        await kept.has(1, PATIENCE)
        await stopped(sending)
        assert len(lost) == len(kept.mails) == 1


async def test_a_courier_that_failed_to_begin_is_not_its_own_predecessor(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock goes with the connection that failed: it does not wait ten seconds for itself."""
    tries: list[bool] = []

    async def without_a_schema_at_first(con: asyncpg.Connection, node: str) -> bool:
        tries.append(await give_all_back(con, node))
        if len(tries) == 1:
            raise asyncpg.UndefinedTableError
        return tries[-1]

    monkeypatch.setattr("mailer.outbox_worker.give_all_back", without_a_schema_at_first)
    async with mail_server() as kept, office(database, Transports({"acme.example": [own(kept)]})) as it:
        await it.leave(1)
        sending = [asyncio.create_task(it.outbox_worker.run(it.pool))]
        await kept.has(1, PATIENCE)
        await stopped(sending)
    assert len(kept.mails) == 1
    assert tries[0]
    assert tries[-1]


async def test_eight_workers_send_two_hundred_mails_once_each(database: str) -> None:
    async with mail_server() as kept, office(database, Transports({"acme.example": [own(kept)]})) as it:
        for n in range(200):
            await it.leave(n, kind="missed")
        running = [asyncio.create_task(it.outbox_worker.run(it.pool))]
        await kept.has(200, PATIENCE)
        await stopped(running)
        assert len({mail.sender for mail in kept.mails}) == len(kept.mails) == 200
        assert kept.most <= 4, "connections to one domain"
        assert await it.pool.fetchval("SELECT count(*) FROM outbox WHERE accepted_at IS NULL") == 0


async def stopped(running: list[asyncio.Task[None]]) -> None:
    for task in running:
        task.cancel()
    await asyncio.wait(running, timeout=5)


async def test_two_couriers_of_two_nodes_share_the_work(database: str) -> None:
    async with mail_server() as kept:
        transport = Transports({"acme.example": [own(kept)]})
        async with (
            office(database, transport) as one,
            office(database, transport, replace(TERMS, node="two")) as two,
        ):
            for n in range(60):
                await one.leave(n, kind="missed")
            running = [asyncio.create_task(it.outbox_worker.run(it.pool)) for it in (one, two)]
            await kept.has(60, PATIENCE)
            await stopped(running)
    assert len({mail.sender for mail in kept.mails}) == len(kept.mails) == 60


async def test_stopped_in_the_middle_another_courier_brings_it(database: str) -> None:
    async with mail_server(Ways(silent_after="RCPT")) as slow, mail_server() as quick:
        transport = Transports({"acme.example": [own(slow)]})
        async with office(database, transport) as it:
            await it.leave(1)
            running = [asyncio.create_task(it.outbox_worker.run(it.pool))]
            await slow.hears("RCPT", PATIENCE)
            await stopped(running)
            transport.servers = {"acme.example": [own(quick)]}
            running = [asyncio.create_task(it.outbox_worker.run(it.pool))]
            await quick.has(1, PATIENCE)
            await stopped(running)
    assert (len(slow.mails), len(quick.mails)) == (0, 1)
