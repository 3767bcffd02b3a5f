"""Looking at a field once everything is over: what there is then, as plain values for the oracle."""

import asyncio
import email
import io
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.policy import default
from functools import cache
from itertools import chain
from pathlib import Path

import asyncpg
import numpy as np
import soundfile

from config.settings import load_settings
from devkit.audio import Samples
from journal.cel_calls import CelCall, cel_calls, cel_events
from storage.audit import Auditor
from storage.calls import find
from storage.encrypted_store import AudioDamaged, AudioDestroyed, EncryptedStore
from storage.objects import ObjectsTrouble
from storage.reconciliation import Difference, Sources, reconcile
from storage.records import CallRecord
from storage.spool import Spool
from storage.stores import key_wrapper_of, objects_of
from tests.faults.damage import is_damaged, unreported, without_damaged
from tests.faults.field import Field
from tests.faults.observed import AudioSeen, Left, MailSeen, Observed, Stored, Voices
from tests.faults.voices import is_heard_in, voices_of
from tests.live.ari import left_in
from tests.live.sinks import callengine, each_file_below, write_out
from tests.live.traffic.lines import Report
from tests.live.traffic.seen import with_whole_sounds
from tests.live.traffic.truth import Evidence
from tests.store.smtp import Received

SETTLES = 60.0  # s
SEPARATORS = b" ./()-"
AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
UNSETTLED = """
SELECT (SELECT count(*) FROM audio WHERE audio_id <> ALL($1) AND (state NOT IN ('stored', 'destroyed')
            OR (state = 'stored' AND (kind = 'message' OR destroy_after < now()))))
     + (SELECT count(*) FROM outbox WHERE accepted_at IS NULL AND refused_at IS NULL)
"""
# Pauses after an attempt that came to nothing are cut short: it is as if that time had passed.
NO_PAUSES = """
UPDATE outbox SET next_at = now() WHERE accepted_at IS NULL AND refused_at IS NULL AND next_at > now();
UPDATE audio SET next_at = now() WHERE state NOT IN ('stored', 'destroyed') AND next_at > now();
"""
LEASES = """
SELECT audio_id FROM audio WHERE lease_until > now()
UNION ALL
SELECT message_id FROM outbox WHERE lease_until > now() AND accepted_at IS NULL AND refused_at IS NULL
"""
AUDIO = "SELECT audio_id, kind, state, began, destroy_after, seconds::float8 AS seconds FROM audio"
EVIDENCE = """
SELECT audio_id, audio.began, audio.ended, evidence FROM recording JOIN audio USING (audio_id)
WHERE audio_id = ANY($1)
"""


@asynccontextmanager
async def database(field: Field) -> AsyncIterator[asyncpg.Connection]:
    con = await asyncpg.connect(field.database, timeout=5, command_timeout=10)
    try:
        yield con
    finally:
        con.terminate()


async def settle(field: Field, numbers: Set[str], began: datetime) -> None:
    """Wait until nothing is on its way any more, for a minute at most: the oracle finds what is left."""
    deadline = time.monotonic() + SETTLES
    while time.monotonic() < deadline:
        with suppress(*AWAY):
            if await is_quiet(field, numbers, began):
                return
        await asyncio.sleep(0.5)  # from look to look: three processes and the disk have no common event


async def is_quiet(field: Field, numbers: Set[str], began: datetime) -> bool:
    if await asyncio.to_thread(left_in, field.house.endpoint) or field.house.metric("calls_live"):
        return False
    calls = journalled_starts(field, numbers)
    async with database(field) as con:
        await con.execute(NO_PAUSES)
        records = {record.call_id for record in await records_of(con, numbers, began)}
        dead = await dead_letters(con)
        unsettled = await con.fetchval(UNSETTLED, field.damage.ids)
    return calls <= records | dead and not unsettled and not spooled(field)


def journalled_starts(field: Field, numbers: Set[str]) -> set[str]:
    """The calls to these numbers that the journal knows."""
    entries = field.house.journal.entries()
    return {it["call"] for it in entries if it["kind"] == "call_start" and it["number"] in numbers}


async def dead_letters(con: asyncpg.Connection) -> set[str]:
    return {row["call_id"] for row in await con.fetch("SELECT call_id FROM dead_letter")}


async def known_calls(con: asyncpg.Connection) -> set[str]:
    """The calls that have a record or a dead letter."""
    rows = await con.fetch("SELECT call_id::text FROM call")
    return {row["call_id"] for row in rows} | await dead_letters(con)


def spooled(field: Field) -> list[str]:
    """The files in the spool, but for those of damaged calls, which wait for a person."""
    names = sorted(path.name for path in field.house.endpoint.recordings.glob("[!.]*"))
    return [name for name in names if not field.damage.hit(name)]


async def observe(
    field: Field, reports: Sequence[Report], began: datetime, withheld: Iterable[str] = ()
) -> Observed:
    """Everything, of the calls that these telephones saw since then."""
    standstills = [(away.since, away.until) for away in field.absences if away.is_standstill]
    calls = [with_whole_sounds(call, standstills) for report in reports for call in report.seen]
    numbers = {call.number for call in calls}
    async with database(field) as con:
        records = await records_of(con, numbers, began)
        ids = [record.recording_id for record in records if record.recording_id]
        found = await stored(field, con, set(ids))
        cel = await asyncio.to_thread(calls_in_cel, field, began)
        return without_damaged(
            field.damage,
            Observed(
                calls=calls,
                records=records,
                absences=tuple(field.absences),
                cel=cel,
                recordings=await evidence(con, ids),
                mails=[mail_seen(mail) for mail in field.mail.mails if b"X-Voicemail-Id" in mail.content],
                stored=found,
                left=await left(field, con),
                withheld=await places_of(field, withheld),
                differences=await differences(field, con, began),
                unreported=unreported(field.damage, await known_calls(con), found),
                late=max(report.late for report in reports),
                now=time.time(),
            ),
        )


async def differences(field: Field, con: asyncpg.Connection, began: datetime) -> list[Difference]:
    """What `callengine reconcile` finds of this time, but for calls that damage has hit."""
    settings = load_settings(field.house.state / "callengine.toml")
    sources = Sources(settings.node, settings.asterisk.cel, settings.journal_dir)
    found = await reconcile(con, sources, began, datetime.now(UTC))
    return [it for it in found.differences if not is_damaged(field.damage, it.number, it.began.timestamp())]


async def records_of(con: asyncpg.Connection, numbers: Set[str], began: datetime) -> list[CallRecord]:
    return [record async for record in find(con, None, began) if record.number in numbers]


def calls_in_cel(field: Field, began: datetime) -> list[CelCall]:
    return cel_calls(cel_events(field.house.endpoint.cel, began))


async def evidence(con: asyncpg.Connection, ids: Sequence[str]) -> Mapping[str, Evidence]:
    rows = await con.fetch(EVIDENCE, ids)
    return {
        row["audio_id"]: {"began": row["began"], "ended": row["ended"], **json.loads(row["evidence"])}
        for row in rows
    }


def mail_seen(mail: Received) -> MailSeen:
    """The mail, and who speaks in its attachment."""
    return _mail_seen(mail.content)


@cache
def _mail_seen(content: bytes) -> MailSeen:
    message = email.message_from_bytes(content, policy=default)
    sounds = [sides_of(bytes(part.get_content())) for part in message.iter_attachments()]
    voices = voices_of(*(side for sides in sounds for side in sides))
    return MailSeen(str(message["Message-ID"]), content, voices)


def sides_of(wav: bytes) -> list[Samples]:
    """What is in each channel."""
    samples, _ = soundfile.read(io.BytesIO(wav), dtype="int16", always_2d=True)
    return list(np.asarray(samples, np.int16).T)


async def stored(field: Field, con: asyncpg.Connection, ours: Set[str]) -> Stored:
    """All that is kept of sounds; those of `ours` are listened to."""
    settings = load_settings(field.house.state / "callengine.toml")
    key_wrapper = key_wrapper_of(settings)
    assert key_wrapper is not None
    objects = objects_of(settings)
    encrypted_store = EncryptedStore(objects, key_wrapper)
    auditor = Auditor(objects, Spool(field.house.endpoint.recordings), read=True, key_wrapper=key_wrapper)
    try:
        audio = {}
        for row in await con.fetch(AUDIO):
            voices = await heard(encrypted_store, con, row["audio_id"]) if row["audio_id"] in ours else None
            due = row["destroy_after"].timestamp() if row["destroy_after"] else None
            audio[row["audio_id"]] = AudioSeen(
                row["audio_id"], row["kind"], row["state"], row["began"].timestamp(), due,
                row["seconds"] or 0.0, voices,
            )  # fmt: skip
        return Stored(
            audio=audio,
            objects={stored.name async for stored in objects.all()},
            keys={row["audio_id"] for row in await con.fetch("SELECT audio_id FROM keys.audio_key")},
            tombstones={row["audio_id"] for row in await con.fetch("SELECT audio_id FROM tombstone")},
            traces=await asyncio.to_thread(traces, field),
            findings=[str(finding) async for finding in auditor.findings(con)],
        )
    finally:
        await objects.close()


async def heard(encrypted_store: EncryptedStore, con: asyncpg.Connection, audio_id: str) -> Voices | None:
    with suppress(AudioDestroyed, AudioDamaged, ObjectsTrouble):
        return voices_of(*sides_of(await encrypted_store.fetch(con, audio_id)))
    return None


def traces(field: Field) -> list[str]:
    """The files in which somebody is heard in plain. The owners' mailbox is in memory, and theirs."""
    found = []
    for folder in folders_of(field):
        for path in folder.rglob("*"):
            with suppress(OSError):
                if path.is_file() and not field.damage.hit(path.name) and is_heard_in(path.read_bytes()):
                    found.append(str(path.relative_to(field.folder)))
    return found


def folders_of(field: Field) -> Sequence[Path]:
    """Where the service, database and object store keep what they have."""
    return (field.house.state, field.folder / "apart")


async def left(field: Field, con: asyncpg.Connection) -> Left:
    endpoint = field.house.endpoint
    live = round(field.house.metric("calls_live"))
    drafts = [path for path in field.house.state.rglob("*.draft") if path.parent.name != "routing-versions"]
    return Left(
        channels=await asyncio.to_thread(left_in, endpoint),
        bridges=await asyncio.to_thread(bridges, field),
        calls=[f"{live} of them"] if live else [],
        leases=[row[0] for row in await con.fetch(LEASES)],
        spool=spooled(field),
        drafts=[str(path.relative_to(field.folder)) for path in drafts],
    )


def bridges(field: Field) -> list[str]:
    """By Asterisk's console: its ARI has no module for them here."""
    assert field.house.asterisk.running is not None
    lines = field.house.asterisk.running.cli("bridge show all").splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("Bridge-ID")]


async def places_of(field: Field, withheld: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Where each of these numbers stands, in whatever spelling: in files (the database's too) and exports."""
    await write_out(field.database)
    places = {
        "callengine calls": await callengine(field.house, "calls", "--format", "json"),
        "mails": b"\n".join(mail.content for mail in field.mail.mails),
    }
    files = map(each_file_below, folders_of(field))
    return await asyncio.to_thread(holding, withheld, [places.items(), *files])


def holding(
    numbers: Iterable[str], places: Iterable[Iterable[tuple[str, bytes]]]
) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {number: [] for number in numbers}
    for name, data in chain.from_iterable(places):
        plain = data.translate(None, SEPARATORS)
        for number, names in found.items():
            if digits_of(number) in plain:
                names.append(name)
    return found


def digits_of(number: str) -> bytes:
    """What all spellings of it have in common."""
    return number.removeprefix("+49").encode()
