"""The outbox: nothing is sent twice, nothing is forgotten, and every message comes to its end."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import chain

import asyncpg
import pytest

from dialplan.delivery import Delivery
from mailer.answer import Accepted, Deferred
from mailer.backoff import STEPS
from mailer.outbox import CLAIM, claim, give_back, taken, write
from mailer.post import Smarthost
from tests.lateness import PATIENCE
from tests.store.posting import TERMS, Transports, message_id, office, own
from tests.store.smtp import Ways, mail_server

NOBODY = Transports({})


async def test_what_is_claimed_is_nobody_elses_until_the_lease_is_over(database: str) -> None:
    async with office(database, NOBODY) as it:
        told = await it.leave(1)
        async with taken(it.pool) as con:
            first = await claim(con, TERMS)
            assert first
            assert (first.message_id, first.recipient, first.attempt) == (told, "office@acme.example", 1)
            assert await claim(con, TERMS) is None
            await it.later(minutes=19)
            assert await claim(con, TERMS) is None
            await it.later(minutes=2)
            second = await claim(con, TERMS)
            assert second
            assert second.attempt == 2


async def test_a_claim_writes_the_next_attempt_before_this_one_is_made(database: str) -> None:
    """Each lease that runs out is an attempt that killed its worker: the waits grow all the same."""
    async with office(database, NOBODY) as it, taken(it.pool) as con:
        told = await it.leave(1)
        waits = []
        for _ in range(7):
            assert await claim(con, TERMS)
            wait: timedelta = (await it.row(told))["wait"]
            waits.append(round(wait.total_seconds() / 60))
            await it.later(hours=5)
    assert waits == [20, 20, 20, 30, 60, 120, 240]


async def test_two_who_claim_at_once_get_two_mails(database: str) -> None:
    async with office(database, NOBODY) as it:
        for n in range(20):
            await it.leave(n)

        async def all_of_them() -> list[str]:
            async with taken(it.pool) as con:
                found = []
                while (claimed := await claim(con, TERMS)) is not None:
                    found.append(claimed.message_id)
                return found

        found = await asyncio.gather(*(all_of_them() for _ in range(8)))
    assert Counter(chain.from_iterable(found)) == Counter(message_id(n) for n in range(20))


async def test_an_answer_after_the_lease_counts_only_if_it_is_an_acceptance(database: str) -> None:
    async with office(database, NOBODY) as it, taken(it.pool) as con:
        told = await it.leave(1)
        slow = await claim(con, TERMS)
        await it.later(hours=1)
        quick = await claim(con, TERMS)
        assert slow
        assert quick
        await write(con, slow, Deferred("mx", "451 not now", "none"), TERMS)
        assert (await it.row(told))["lease_until"] is not None, "it is the other one's"
        await write(con, slow, Accepted("mx", "250 taken", "none", final=True), TERMS)
        assert await it.state(told) == "accepted"
        await write(con, quick, Deferred("mx", "451 not now", "none"), TERMS)
        assert (await it.row(told))["reply"] == "250 taken"


async def test_writing_an_answer_again_changes_nothing(database: str) -> None:
    async with office(database, NOBODY) as it, taken(it.pool) as con:
        told = await it.leave(1)
        claimed = await claim(con, TERMS)
        assert claimed
        for _ in range(3):
            await write(con, claimed, Accepted("mx", "250 taken", "none", final=True), TERMS)
        assert await it.results(told) == ["accepted"]


async def test_given_back_it_is_due_again(database: str) -> None:
    async with office(database, NOBODY) as it, taken(it.pool) as con:
        await it.leave(1)
        claimed = await claim(con, TERMS)
        assert claimed
        await give_back(con, claimed)
        assert await claim(con, TERMS) is not None


async def test_what_the_owners_own_server_took_is_destroyed_at_once(database: str) -> None:
    async with mail_server() as kept, office(database, Transports({"acme.example": [own(kept)]})) as it:
        told = await it.leave(1)
        await it.round()
        assert (await it.keeping(told) or timedelta(1)) <= timedelta(0)
        assert await it.pool.fetchval("SELECT reason FROM audio") == "delivered"


async def test_what_a_smarthost_took_is_kept_for_a_day_should_it_come_back(database: str) -> None:
    async with mail_server() as kept:
        terms = replace(TERMS, smarthost="localhost")
        async with office(database, Smarthost(kept.server), terms) as it:
            told = await it.leave(1, to=["a@one.example", "b@two.example"])
            await it.round()
            assert await it.state(told) == "accepted"
            assert timedelta(hours=23) < (await it.keeping(told) or timedelta()) <= timedelta(hours=24)
            assert [mail.recipients for mail in kept.mails] == [("a@one.example",), ("b@two.example",)]


async def test_when_nobody_of_the_first_takes_it_the_second_address_gets_the_same_mail(
    database: str,
) -> None:
    def reply(verb: str, said: str) -> str | None:
        return "550 gone" if verb == "RCPT" and "office@" in said else None

    async with (
        mail_server(Ways(reply=reply)) as kept,
        office(database, Transports({"acme.example": [own(kept)]})) as it,
    ):
        told = await it.leave(1, then="owner@acme.example")
        await it.round()
        await it.later(minutes=2)
        assert await it.round() == 2
        (mail,) = kept.mails
        assert mail.recipients == ("owner@acme.example",)
        assert await it.state(told) == "accepted"
        assert (await it.row(told, "owner@acme.example"))["turn"] == 2
        assert f"<vm.{told}@provider.example>".encode() in mail.content


async def test_a_missed_call_is_mailed_and_has_no_sound_to_be_destroyed(database: str) -> None:
    async with mail_server() as kept, office(database, Transports({"acme.example": [own(kept)]})) as it:
        told = await it.leave(1, kind="missed")
        await it.round()
        assert b"Missed call" in kept.mails[0].content
        assert await it.state(told) == "accepted"


async def test_a_domain_that_spoke_tls_once_is_remembered(database: str) -> None:
    async with office(database, NOBODY) as it, taken(it.pool) as con:
        for n in (1, 2):
            await it.leave(n)
        first = await claim(con, TERMS)
        assert first
        assert not first.tls_seen
        await write(con, first, Accepted("mx", "250 ok", "unverified TLSv1.3", final=True), TERMS)
        second = await claim(con, TERMS)
        assert second
        assert second.tls_seen


async def test_handshakes_that_failed_are_counted(database: str) -> None:
    async with office(database, NOBODY) as it, taken(it.pool) as con:
        await it.leave(1)
        for failures in range(3):
            claimed = await claim(con, TERMS)
            assert claimed
            assert claimed.failures == failures
            await write(con, claimed, Deferred("mx", "TLS: reset", "failed"), TERMS)
            await it.later(hours=1)


@pytest.mark.parametrize(
    "broken",
    [
        {"zone": "Nowhere/Else"},
        {"language": "xx"},
    ],
)
async def test_a_message_whose_mail_cannot_be_built_goes_out_plain(
    database: str, broken: dict[str, str]
) -> None:
    async with mail_server() as kept, office(database, Transports({"acme.example": [own(kept)]})) as it:
        told = await it.leave(1, **broken)
        await it.round()
        assert await it.state(told) == "accepted"
        assert b"Subject: Voicemail\r\n" in kept.mails[0].content
        assert b'filename="voicemail.mp3"' in kept.mails[0].content


async def test_one_of_which_nothing_can_be_made_holds_up_nobody(database: str) -> None:
    async with mail_server() as kept, office(database, Transports({"acme.example": [own(kept)]})) as it:
        told = await it.leave(1)
        await it.pool.execute("UPDATE message SET deliver = deliver - 'zone'")
        good = await it.leave(2)
        assert await it.round() == 2
        assert await it.results(told) == ["unbuildable"]
        assert await it.state(told) == "undeliverable"
        assert await it.keeping(told) is not None
        assert await it.state(good) == "accepted"


async def test_an_answer_waits_for_a_database_that_is_away(database: str) -> None:
    """Every connection is cut while the mail is being taken: it is not sent again for that."""
    async with mail_server() as kept, office(database, Transports({"acme.example": [own(kept)]})) as it:
        told = await it.leave(1)
        cut: list[asyncio.Task[None]] = []

        def reply(verb: str, _: str) -> str | None:
            if verb == "dot":
                cut.append(asyncio.create_task(cut_all(database)))
            return None

        kept.ways.reply = reply
        async with asyncio.timeout(PATIENCE):
            assert await it.outbox_worker.send_next(
                it.pool
            )  # nothing after it: that may meet a cut connection too
        await asyncio.gather(*cut)
        await it.pool.expire_connections()  # one that was cut may not know it yet
        assert await it.state(told) == "accepted"
        assert len(kept.mails) == 1


async def cut_all(database: str) -> None:
    con = await asyncpg.connect(database)
    await con.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await con.close()


WAITING = """
INSERT INTO outbox (message_id, recipient, domain, dated, next_at)
SELECT $1, 'n' || n || '@acme.example', 'acme.example', now(), now() + $2
FROM generate_series(1, 100000) AS n
"""


@pytest.mark.parametrize(("due_in", "full"), [(timedelta(hours=1), []), (timedelta(0), ["acme.example"])])
async def test_a_hundred_thousand_do_not_slow_a_claim(
    database: str, due_in: timedelta, full: list[str]
) -> None:
    """Whether they wait, or are due to a domain that has all it may have. 0.2 ms, and 14 ms."""
    async with office(database, NOBODY) as it, taken(it.pool) as con:
        await it.leave(1, to=["office@good.example"])
        await con.execute(WAITING, message_id(1), due_in)
        await con.execute("ANALYZE outbox")
        told = await con.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT json) {CLAIM}", "here", TERMS.lease, STEPS, full, None
        )
        (plan,) = json.loads(told)
        assert full or "outbox_due" in told
        assert plan["Execution Time"] < 500, "milliseconds"


def test_the_deliveries_of_these_tests_are_those_of_the_product() -> None:
    assert Delivery.__dataclass_fields__.keys() >= {"to", "then", "language", "audio", "zone", "require_tls"}
