"""The worker killed at every point: no message lost, none kept after delivery, none sent twice without need.

The points are read from the sources, so that none is forgotten. `CALLENGINE_KILLS=n` kills n times at each,
in turn at its first, second and third passing, and at 20 n random moments; `make test` does so once.
"""

import asyncio
import email
import os
import random
import signal
import smtplib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.policy import default
from itertools import zip_longest
from pathlib import Path

import asyncpg
import pytest

from devkit.children import free_port
from devkit.postgres import Running
from devkit.seaweed import Seaweed
from journal.codec import decode, encode
from journal.entries import Entry
from journal.writer import Journal
from storage.audit import Auditor
from storage.calls import find
from storage.key_wrapper import new_master_key
from storage.objects import Objects
from storage.objects.directory import Directory
from storage.records import CallRecord
from storage.spool import Spool
from tests.store.calls import answered_call, call_id, record_of
from tests.store.conftest import administer, numbers
from tests.store.points import bare_transactions, points, stretch
from tests.store.smtp import MailServer, Received, mail_server
from tests.store.sounds import audio_id, record, samples, voicemail_call
from tests.store.test_objects import s3_of
from tests.store.test_rotation_killed import OF_KEYS
from tests.store.worker_process import until, working

KILLS = int(os.environ.get("CALLENGINE_KILLS", "1"))

SAID = (1, 2, 3)  # messages with something to be heard
CUT_OFF = 3  # whose object half lies there already
SILENT, ANSWERED, ORPHAN, ASIDE = 4, 5, 6, 7
MISSED = audio_id(SILENT).replace("vm1", "missed")
EMPTIED = ("spool", "objects", "tmp")  # folders in which nothing is to be left

UNSETTLED = """
SELECT (SELECT count(*) FROM audio WHERE state <> 'destroyed')
     + (SELECT count(*) FROM outbox WHERE accepted_at IS NULL AND refused_at IS NULL)
     + (SELECT greatest(5 - count(*), 0) FROM audio)
     + (SELECT greatest(5 - count(*), 0) FROM call)
     + (SELECT greatest(1 - count(*), 0) FROM dead_letter)
"""
TABLES = """
SELECT schemaname || '.' || tablename FROM pg_tables
WHERE schemaname IN ('public', 'keys') AND tablename NOT IN ('migration', 'access')
"""


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
OF_BUCKETS = [name for name in points() if "upload" in name]


@pytest.fixture(scope="module")
def ledger(server: Running) -> Iterator[str]:
    """One database for all of them, emptied in between: making each its own takes longer than a kill."""
    name = f"test_{next(numbers)}"
    asyncio.run(administer(server.url, f"CREATE DATABASE {name} TEMPLATE callengine"))
    yield server.url.removesuffix("callengine") + name
    asyncio.run(administer(server.url, f"DROP DATABASE {name} WITH (FORCE)"))


def tonight() -> list[list[Entry]]:
    """The owner wants plain WAV, so that what arrives can be compared bit by bit; and missed calls."""
    calls = [voicemail_call(n) for n in SAID] + [voicemail_call(SILENT, missed=True), answered_call(ANSWERED)]
    calls.insert(1, answered_call(ASIDE, owner="what PostgreSQL refuses: \0"))
    return [[decode(encode(it).replace(b'"mp3"', b'"wav"')) for it in call] for call in calls]


@dataclass
class Night:
    """Six calls, one of them no record, a stray file, and a worker that is to see to them whatever befalls.

    `may_come`: how often each mail may arrive in the end, when that is more than once.
    """

    state: Path
    con: asyncpg.Connection
    database: str
    post: MailServer
    objects: Objects
    told: dict[str, str] = field(default_factory=dict)
    may_come: Counter[str] = field(default_factory=Counter)

    async def begin(self) -> None:
        tables = [row[0] for row in await self.con.fetch(TABLES)]
        without_triggers = "SET session_replication_role = replica"  # that of the tombstones refuses it
        await self.con.execute(f"{without_triggers}; TRUNCATE {', '.join(tables)}; RESET ALL")
        (self.state / "tmp").mkdir(parents=True)
        await self._write_journal()
        self._lay_out()
        self.told = {
            "CALLENGINE_NODE": "here",
            "CALLENGINE_STATE": str(self.state),
            "CALLENGINE_DATABASE": self.database,
            "CALLENGINE_HTTP__WORKER_PORT": "0",
            "CALLENGINE_MASTER_KEY": new_master_key(),
            "CALLENGINE_ASTERISK__RECORDINGS": str(self.state / "spool"),
            "CALLENGINE_MAIL__SENDER": "voicemail@provider.example",
            "CALLENGINE_MAIL__SMARTHOST": "localhost",
            "CALLENGINE_MAIL__PORT": str(self.post.port),
            "CALLENGINE_MAIL__HELLO": "here.provider.example",
            "CALLENGINE_MAIL__BOUNCE_WINDOW_HOURS": "0",
            "TMPDIR": str(self.state / "tmp"),
        }

    async def _write_journal(self) -> None:
        journal = await Journal.open(self.state / "journal", "here", 4096)
        for entries in tonight():
            *_, last = [journal.note(entry) for entry in entries]
            await last
        await journal.close()

    def _lay_out(self) -> None:
        spool = self.state / "spool"
        for n in (*SAID, ORPHAN):
            record(spool, n)
        record(spool, SILENT, 3, 0.0003)
        os.utime(spool / f"{audio_id(ORPHAN)}.wav", (0, 0))
        half = self.state / "objects" / "message" / audio_id(CUT_OFF)
        half.parent.mkdir(parents=True)
        half.write_bytes(b"half an obje")

    async def kill_at(self, failpoint: str) -> bool:
        """Run until it is killed there, or all is done; whether it was killed."""
        with working(self.told, self.state / "log", failpoint) as worker:

            async def is_over() -> bool:
                return worker.exitcode is not None or await self.is_done()

            await until(is_over, f"killed at {failpoint}")
            code = worker.exitcode
        await self._recount()
        return code == -signal.SIGKILL

    async def kill_after(self, seconds: float) -> None:
        with working(self.told, self.state / "log"):
            await asyncio.sleep(seconds)
        await self._recount()

    async def finish(self) -> None:
        """Run until nothing is left to do."""
        with working(self.told, self.state / "log"):
            await until(self.is_done, "everything is mailed and destroyed")

    async def is_done(self) -> bool:
        """Whether every call has come in, every mail is accepted, and every sound destroyed."""
        try:
            left: int = await self.con.fetchval(UNSETTLED)
        except asyncpg.DeadlockDetectedError:
            return False
        return left == 0 and not any((self.state / "spool").iterdir())

    async def _recount(self) -> None:
        """Whose mail the server has and the database does not know of: only those may come once more.

        Nobody can know whether it was taken (RFC 1047): all others have come as often as they ever will.
        """

        async def is_heard_out() -> bool:
            return self.post.live == 0

        await until(is_heard_out, "the server has heard what was on its way")
        query = "SELECT message_id FROM outbox WHERE accepted_at IS NULL"
        unknown = {row["message_id"] for row in await self.con.fetch(query)}
        for message_id, copies in by_message(self.post.mails).items():
            self.may_come[message_id] = len(copies) + (message_id in unknown)


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


def by_message(mails: list[Received]) -> dict[str, list[Received]]:
    found: dict[str, list[Received]] = {}
    for mail in mails:
        read = email.message_from_bytes(mail.content, policy=default)
        found.setdefault(read["X-Voicemail-Id"], []).append(mail)
    return found


def heard_in(mail: Received) -> bytes:
    (sound,) = email.message_from_bytes(mail.content, policy=default).iter_attachments()
    return bytes(sound.get_content())


async def hold_against_what_was_promised(night: Night) -> None:
    """The one oracle of all of these tests."""
    mails = by_message(night.post.mails)
    assert set(mails) == {*map(audio_id, SAID), MISSED}
    for message_id, copies in mails.items():
        assert len(copies) <= max(night.may_come[message_id], 1)
        assert len({copy.content for copy in copies}) == 1
    for n in SAID:
        assert heard_in(mails[audio_id(n)][0])[44:] == samples(n, 2.0)
    assert [record async for record in find(night.con)] == sorted(map(record_of, recorded()), key=started)
    stones = await night.con.fetch("SELECT reason, count(*) FROM tombstone GROUP BY reason")
    assert dict(map(tuple, stones)) == {"delivered": 3, "absent": 1, "orphan": 1}
    assert await leftovers(night) == []
    auditor = Auditor(night.objects, Spool(night.state / "spool"), read=True)
    told = [str(finding).partition(" has a dead letter")[0] async for finding in auditor.findings(night.con)]
    assert told == [f"dead letter: call {call_id(ASIDE)}"]


def recorded() -> list[list[Entry]]:
    """The calls that become records: all but the one that is set aside."""
    return [entries for entries in tonight() if entries[0].call != call_id(ASIDE)]


def started(record: CallRecord) -> datetime:
    return record.began


async def leftovers(night: Night) -> list[str]:
    """Whatever is left of a sound: files, its plain bytes in any file or row, its key."""
    places = [night.state / name for name in EMPTIED]
    found = [str(path) for place in places for path in place.rglob("*") if path.is_file()]
    pieces = [samples(n, 2.0)[8000:8064] for n in (*SAID, ORPHAN)]
    files = [path for path in night.state.rglob("*") if path.is_file()]
    found += [f"plain in {path}" for path in files if any(piece in path.read_bytes() for piece in pieces)]
    rows = await dump(night.con)
    found += ["plain in the database" for piece in pieces if piece.hex() in rows]
    keys = await night.con.fetch("SELECT audio_id FROM keys.audio_key")
    return [*found, *(f"the key of {row[0]}" for row in keys)]


async def dump(con: asyncpg.Connection) -> str:
    """Every row of every table, as text."""
    tables = [row[0] for row in await con.fetch(TABLES)]
    told = [await con.fetch(f"SELECT t::text FROM {table} AS t") for table in tables]  # noqa: S608
    return "\n".join(row[0] for rows in told for row in rows)


def test_there_is_a_point_for_every_effect_and_each_is_passed_at_one_place() -> None:
    assert len(points()) >= 25
    assert [name for name, times in Counter(points()).items() if times > 1] == []


def test_every_transaction_has_a_point_before_and_after_it() -> None:
    assert bare_transactions() == []


def test_every_point_is_killed_at_by_one_of_these_tests() -> None:
    killed = [name for names in NIGHTS for name in names] + OF_BOUNCES + OF_BUCKETS + OF_KEYS
    assert sorted(killed) == points()


@pytest.mark.parametrize("turn", range(KILLS))
@pytest.mark.parametrize("names", NIGHTS, ids=" ".join)
async def test_killed_at_a_point_it_loses_keeps_and_doubles_nothing(
    night: Night, names: tuple[str, ...], turn: int
) -> None:
    nth = 1 + turn % 3
    for name in names:
        assert await night.kill_at(f"{name}:{nth}") or nth > 1, f"{name} was not passed"
    await night.finish()
    await hold_against_what_was_promised(night)


@pytest.mark.parametrize("name", OF_BUCKETS)
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


@pytest.mark.parametrize("seed", range(5 * KILLS))
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
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as server:
            server.sendmail("", [mail.sender], report_about(mail))
    except (OSError, smtplib.SMTPException):
        return False
    return True


@pytest.mark.parametrize("name", OF_BOUNCES)
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
