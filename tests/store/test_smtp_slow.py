"""Mail servers that are away, slow, or gone since the last mail."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from mailer.outbox_worker import MOST_STALLED, DeliveryPolicy
from mailer.post import Smarthost
from mailer.smtp import Server
from tests.lateness import PATIENCE
from tests.store.posting import TERMS, Transports, office, own, wav_of
from tests.store.smtp import Ways, mail_server, mail_servers
from tests.store.smtp_answers import MINUTES, first, ids, roads
from tests.store.test_outbox_workers import stopped


async def test_six_hours_without_a_server_and_then_it_arrives_once(database: str) -> None:
    """The clock is moved to each next attempt; by four hours and more the server is back."""
    servers = Transports({"acme.example": [Server("localhost", 1, final=True)]})
    async with mail_server() as kept, office(database, servers) as it:
        told = await it.leave(1)
        gone = timedelta()
        attempts = 0
        while gone < timedelta(hours=6):
            attempts += await it.round()
            wait = (await it.row(told))["wait"]
            assert MINUTES[attempts - 1] * 0.9 < wait < MINUTES[attempts - 1] * 1.25
            await it.later(seconds=wait.total_seconds() + 1)
            gone += wait
        servers.servers = {"acme.example": [own(kept)]}
        await it.round()
        assert await it.results(told) == [*["deferred"] * attempts, "accepted"]
    assert len(kept.mails) == 1
    assert attempts <= 8


async def test_after_five_days_it_is_kept_for_a_person(database: str) -> None:
    servers = Transports({"acme.example": [Server("localhost", 1, final=True)]})
    async with office(database, servers) as it:
        told = await it.leave(1)
        await it.round()
        await it.later(days=5, seconds=-30)
        await it.round()
        assert await it.state(told) == "waiting"
        await it.later(hours=4)
        await it.round()
        assert await it.state(told) == "undeliverable"
        assert await it.keeping(told) is not None


async def test_a_slow_server_is_left_at_the_deadline(database: str) -> None:
    ways = Ways(silent_after="RCPT")
    async with (
        mail_server(ways) as kept,
        office(database, roads(acme=kept), policy=DeliveryPolicy(deadline=0.3)) as it,
    ):
        told = await it.leave(1)
        await it.round()
        assert await it.results(told) == ["deferred"]
        assert (await it.row(told))["reply"] == "not finished after 0 s"
        assert (await it.row(told))["lease_until"] is None


TARPITS = [
    Ways(silent_after="EHLO"),
    Ways(silent_after="MAIL"),
    Ways(silent_after="RCPT"),
    Ways(silent_after="DATA"),
    Ways(banner=""),
]


async def test_five_tarpits_hold_up_nobody_else(database: str) -> None:
    """100 mails to five domains that never answer are due before one to a good server."""
    async with mail_servers(*TARPITS, Ways()) as (*tarpits, good):
        servers = {f"tar{n}.example": [own(tarpit)] for n, tarpit in enumerate(tarpits)}
        servers["acme.example"] = [own(good)]
        async with office(database, Transports(servers), policy=DeliveryPolicy(deadline=60)) as it:
            for n in range(100):
                await it.leave(n, kind="missed", to=[f"office@tar{n % 5}.example"])
            told = await it.leave(100)
            began = asyncio.get_running_loop().time()
            bringing = asyncio.create_task(it.outbox_worker.run(it.pool))
            try:
                await good.has(1, PATIENCE)
                lasted = asyncio.get_running_loop().time() - began
            finally:
                bringing.cancel()
                await asyncio.wait({bringing})
            assert [tarpit.most for tarpit in tarpits] <= [4] * 5
    assert ids(good) == {f"<vm.{told}@provider.example>"}
    assert lasted < 30, "not the 60 s after which a tarpit is left"


async def test_a_connection_is_kept_for_the_next_mail(database: str) -> None:
    async with mail_server() as kept, office(database, roads(acme=kept)) as it:
        for n in range(3):
            await it.leave(n)
        await it.round()
        assert kept.commands == ["EHLO", *["MAIL", "RCPT", "DATA"] * 3]


@pytest.mark.parametrize("verb", ["RSET", "MAIL"])
async def test_one_that_died_meanwhile_costs_a_mail_nothing(database: str, verb: str) -> None:
    """As servers do that take so many mails over one connection: the next command is answered 421."""
    async with mail_server() as kept, office(database, roads(acme=kept)) as it:
        if verb == "RSET":  # asked for after a mail that was not taken
            kept.ways.reply = first(1, "RCPT", "450 not now")
        await it.leave(1)
        await it.round()
        kept.ways.reply = first(1, verb, "421 that was enough")
        told = await it.leave(2)
        await it.round()
        assert await it.results(told) == ["accepted"]
        assert kept.commands.count("EHLO") == 2


async def test_what_cannot_be_read_now_is_read_later(database: str) -> None:
    async with mail_server() as kept, office(database, roads(acme=kept)) as it:

        async def away(con: object, audio_id: str) -> bytes:
            raise ConnectionError

        it.outbox_worker._fetch_with = away
        told = await it.leave(1)
        await it.round()
        assert await it.results(told) == ["deferred"]
        it.outbox_worker._fetch_with = wav_of
        await it.later(minutes=2)
        await it.round()
        assert await it.results(told) == ["deferred", "accepted"]


async def test_connections_in_which_a_smarthost_is_silent_do_not_keep_other_mails_waiting(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every worker has one: the tarpit was short, but an SMTP timeout is five minutes (RFC 5321)."""
    monkeypatch.setattr("mailer.outbox_worker.STALLED_SECONDS", 0.3)
    policy = DeliveryPolicy(workers=2)
    async with mail_server(Ways(silent_after="DATA")) as kept:
        transport, terms = Smarthost(own(kept)), replace(TERMS, smarthost="localhost")
        async with office(database, transport, terms, policy=policy) as it:
            for n in (1, 2):
                await it.leave(n, kind="missed")
            sending = asyncio.create_task(it.outbox_worker.run(it.pool))
            await kept.hears("DATA", PATIENCE, times=2)
            kept.ways = Ways()
            await it.leave(3, kind="missed")
            await kept.has(1, PATIENCE)
            await stopped([sending])


async def test_a_smarthost_that_is_silent_to_all_gets_so_many_connections(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.outbox_worker.STALLED_SECONDS", 0.05)
    policy, most = DeliveryPolicy(workers=2), 2 * MOST_STALLED
    async with mail_server(Ways(silent_after="DATA")) as kept:
        transport, terms = Smarthost(own(kept)), replace(TERMS, smarthost="localhost")
        async with office(database, transport, terms, policy=policy) as it:
            for n in range(20):
                await it.leave(n, kind="missed")
            sending = asyncio.create_task(it.outbox_worker.run(it.pool))
            await kept.hears("DATA", PATIENCE, times=most)
            await asyncio.sleep(0.5)  # in which nothing must happen
            assert most <= kept.most <= most + 1, "both workers may add the last one"
            await stopped([sending])
