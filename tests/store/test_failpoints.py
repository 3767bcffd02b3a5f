"""The worker killed at every point: no message lost, none kept after delivery, none sent twice without need.

The points are read from the sources, so that none is forgotten. `make test` kills at some of them, `make
heavy` at the others. `CALLENGINE_KILLS=n` kills n times at each, in turn at its first, second and third
passing, and in 5 n nights at random moments.
"""

import asyncio
import os
import random
import signal
import smtplib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import zip_longest
from pathlib import Path

import asyncpg
import pytest

from devkit.children import free_port
from devkit.postgres import Running
from devkit.seaweed import Seaweed
from storage.objects.directory import Directory
from tests.lateness import PATIENCE
from tests.store.conftest import administer, numbers
from tests.store.nights import CUT_OFF, Night, hold_against_what_was_promised
from tests.store.points import bare_transactions, points, stretch
from tests.store.smtp import Received, mail_server
from tests.store.sounds import audio_id
from tests.store.test_backup_restored import OF_BACKUPS
from tests.store.test_forget_killed import OF_ERASING
from tests.store.test_objects import s3_of
from tests.store.test_rotation_killed import OF_KEYS
from tests.store.worker_process import until, working
from tests.tiers import mostly_heavy


@pytest.fixture(scope="module")
def ledger(server: Running) -> Iterator[str]:
    """One database for all of them, emptied in between: making each its own takes longer than a kill."""
    name = f"test_{next(numbers)}"
    asyncio.run(administer(server.url, f"CREATE DATABASE {name} TEMPLATE callengine"))
    yield server.url.removesuffix("callengine") + name
    asyncio.run(administer(server.url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def night(tmp_path: Path, ledger: str) -> AsyncIterator[Night]:
    con = await asyncpg.connect(ledger)
    try:
        async with mail_server() as post:
            state = tmp_path / "state"
            found = Night(state, con, ledger, post, Directory(state / "objects"))
            await found.begin()
            yield found
    finally:
        await con.close()


KILLS = int(os.environ.get("CALLENGINE_KILLS", "1"))


# A night kills once on every stretch, for there is something left to do on the later ones.
NIGHTS = [
    tuple(filter(None, names))
    for names in zip_longest(
        stretch("drain"),
        stretch("seal", "store", "object", "spool"),
        stretch("outbox", "mail_sender", "smtp"),
        stretch("destroy"),
    )
]
NIGHTS += [(name,) for name in stretch("sweep")]
OF_BOUNCES = stretch("bounce")
# Killed at in tests of their own, as OF_KEYS.
OF_CALLERS = [*OF_ERASING, *stretch("anonymise", "records", "notice")]
OF_BUCKETS = [name for name in points() if "upload" in name]


def test_there_is_a_point_for_every_effect_and_each_is_passed_at_one_place() -> None:
    assert len(points()) >= 25
    assert [name for name, times in Counter(points()).items() if times > 1] == []


def test_every_transaction_has_a_point_before_and_after_it() -> None:
    assert bare_transactions() == []


def test_every_point_is_killed_at_by_one_of_these_tests() -> None:
    of_parts = OF_BOUNCES + OF_BUCKETS + OF_KEYS + OF_BACKUPS + OF_CALLERS
    killed = [name for names in NIGHTS for name in names] + of_parts
    assert sorted(killed) == points()


@pytest.mark.parametrize("turn", range(KILLS))
@pytest.mark.parametrize("names", mostly_heavy(NIGHTS, 4), ids=" ".join)
async def test_killed_at_a_point_it_loses_keeps_and_doubles_nothing(
    night: Night, names: tuple[str, ...], turn: int
) -> None:
    nth = 1 + turn % 3
    for name in names:
        assert await night.kill_at(f"{name}:{nth}") or nth > 1, f"{name} was not passed"
    await night.finish()
    await hold_against_what_was_promised(night)


@pytest.mark.parametrize("name", mostly_heavy(OF_BUCKETS, 1))
async def test_killed_while_it_uploads_to_a_bucket_it_is_the_same(
    night: Night, name: str, s3: Seaweed, bucket: str
) -> None:
    (night.state / "objects" / "message" / audio_id(CUT_OFF)).unlink()
    night.objects = s3_of(s3, bucket)
    night.told |= {
        "CALLENGINE_OBJECTS__BUCKET": bucket,
        "CALLENGINE_OBJECTS__ENDPOINT": s3.endpoint,
        "CALLENGINE_OBJECTS__ACCESS_KEY": s3.access_key,
        "CALLENGINE_OBJECTS__SECRET_KEY": s3.secret_key,
    }
    assert await night.kill_at(f"{name}:2")  # the first passing is of the probe
    await night.finish()
    await hold_against_what_was_promised(night)
    assert [stored async for stored in night.objects.all()] == []


@pytest.mark.parametrize("seed", mostly_heavy(range(5 * KILLS), 1))
async def test_killed_at_any_time_it_loses_keeps_and_doubles_nothing(night: Night, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(chance.randint(2, 6)):
        await night.kill_after(min(chance.expovariate(3), 1.5))
    await night.finish()
    await hold_against_what_was_promised(night)


def report_about(mail: Received) -> bytes:
    """What the owner's mail server says, ten minutes after it has taken the mail."""
    return (
        f"From: <>\r\nTo: <{mail.sender}>\r\nSubject: failed\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt failed.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example\r\n\r\n"
        f"Final-Recipient: rfc822; {mail.recipients[0]}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    ).encode()


def bring(mail: Received, port: int) -> bool:
    """Whether the report was taken; whoever brings it tries again if not."""
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as server:
            server.sendmail("", [mail.sender], report_about(mail))
    except (OSError, smtplib.SMTPException):
        return False
    return True


@pytest.mark.parametrize("name", mostly_heavy(OF_BOUNCES, 1))
async def test_killed_while_it_hears_that_a_mail_came_back_it_hears_it_once_more(
    night: Night, name: str
) -> None:
    port = free_port()
    night.told |= {
        "CALLENGINE_MAIL__BOUNCES_PORT": str(port),
        "CALLENGINE_MAIL__BOUNCE_WINDOW_HOURS": "1",
    }

    async def taken() -> bool:
        call = audio_id(1)[:36].replace("-", "")
        spoken = [mail for mail in night.post.mails if call in mail.sender]
        return bool(spoken) and await asyncio.to_thread(bring, spoken[0], port)

    with working(night.told, night.state / "log", name) as worker:

        async def is_over() -> bool:
            return await taken() or worker.exitcode is not None

        await until(is_over, "the report is brought")
        await asyncio.to_thread(worker.join, 5)
        assert worker.exitcode == -signal.SIGKILL
    with working(night.told, night.state / "log"):
        await until(taken, "the report is brought again")
    state = "SELECT state || ' ' || why FROM message WHERE message_id = $1"
    assert await night.con.fetchval(state, audio_id(1)) == "undeliverable bounced"
    kept = "SELECT state, destroy_after > now() AS later FROM audio WHERE audio_id = $1"
    row = await night.con.fetchrow(kept, audio_id(1))
    assert row is not None
    assert (row["state"], row["later"]) == ("stored", True)
