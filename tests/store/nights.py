"""A worker's night: calls to be stored, sealed, mailed and destroyed, and what it has promised."""

import asyncio
import email
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from email.policy import default
from pathlib import Path

import asyncpg

from journal.codec import decode, encode
from journal.entries import Entry
from journal.writer import Journal
from storage.audit import Auditor
from storage.calls import find
from storage.key_wrapper import new_master_key
from storage.objects import Objects
from storage.records import CallRecord
from storage.spool import Spool
from tests.store.calls import answered_call, call_id, record_of
from tests.store.smtp import MailServer, Received
from tests.store.sounds import audio_id, record, samples, voicemail_call
from tests.store.worker_process import until, working

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
            *_, last = [journal.append(entry) for entry in entries]
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
            await asyncio.sleep(seconds)  # a random moment
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
        return left == 0 and not any((self.state / "spool").glob("[!.]*"))

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
    found = [str(path) for place in places for path in place.rglob("[!.]*") if path.is_file()]
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
