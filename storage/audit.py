"""The audit compares tombstones, rows, keys, object store and spool.

Each finding says what is wrong and what to do. Work in progress (audio just recorded, a destruction just due)
is not a finding.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from storage import audit_erasures
from storage.audit_keys import RULES as RULES_OF_KEYS
from storage.audit_keys import groups, wal
from storage.backup.audit import of_backups, of_erasures
from storage.backup.own_key import PREFIX
from storage.encrypted_store import digest, object_name
from storage.erased_number import NumberKeys
from storage.finding import Finding, Rule
from storage.key_wrapper import KeyWrapper
from storage.objects import ObjectMissing, Objects
from storage.spool import Spool
from storage.sweeping import ORPHANED
from storage.tombstones import Head, verify

LEEWAY = timedelta(minutes=5)  # for work in progress, in the queries too
DELETE_OBJECT = "its key is deleted, so nobody can hear it; delete the object in the store"
RESTORE_OBJECT = "restore it from the store's own copies, or the audio is lost"
CHANGED = "somebody has changed the database: check who has the right to"


RULES = (
    Rule(
        "chain",
        """SELECT audio_id FROM audio LEFT JOIN tombstone USING (audio_id)
           WHERE state = 'destroyed' AND seq IS NULL""",
        "{} is marked as destroyed, but has no tombstone",
        CHANGED,
    ),
    Rule(
        "chain",
        """SELECT audio_id FROM tombstone LEFT JOIN audio USING (audio_id)
           WHERE state IS DISTINCT FROM 'destroyed'""",
        "{} has a tombstone, but is not marked as destroyed",
        CHANGED,
    ),
    Rule(
        "kept",
        """SELECT audio_id FROM keys.audio_key LEFT JOIN audio USING (audio_id)
           WHERE coalesce(state, 'destroyed') IN ('shredded', 'destroyed')""",
        "the key of {} exists, but the audio is marked as destroyed",
        "delete it from keys.audio_key; a restored backup had it: leave that schema out of backups",
    ),
    Rule(
        "missing",
        """SELECT audio_id FROM audio LEFT JOIN keys.audio_key USING (audio_id)
           WHERE state = 'stored' AND wrapped IS NULL""",
        "the key of {} is missing: nobody can hear it again",
        "restore keys.audio_key if there is a copy, or the audio is lost",
    ),
    Rule(
        "overdue",
        """SELECT audio_id FROM audio WHERE state <> 'destroyed' AND hold IS NULL
           AND destroy_after < now() - interval '1 minute'""",
        "{} should have been destroyed",
        "check that the worker runs and the object store works; the worker's log has destruction_deferred",
    ),
    Rule(
        "waiting",
        "SELECT audio_id FROM audio WHERE state = 'recorded' AND noted_at < now() - interval '5 minutes'",
        "{} is not stored yet",
        "check that the worker of its node runs and the object store works; its log has sealing_deferred",
    ),
    Rule(
        "held",
        "SELECT audio_id FROM legal_hold WHERE released_at IS NULL AND review_on < now()",
        "{} is under a legal hold whose review is due",
        "callengine recordings list shows whose; release it, or release it and hold it again",
    ),
    Rule(
        "endless",
        """SELECT audio_id FROM audio JOIN message ON message_id = audio_id
           WHERE audio.state = 'stored' AND destroy_after IS NULL AND hold IS NULL
           AND message.state IN ('accepted', 'undeliverable')
           AND message.noted_at < now() - interval '5 minutes'""",
        "{} is kept with no deadline",
        "callengine messages release gives it up",
    ),
    Rule(
        "dead letter",
        "SELECT DISTINCT call_id FROM dead_letter ORDER BY call_id",
        "call {} has a dead letter: it has no record, or an incomplete one",
        "the table dead_letter has its entries, and why; the worker retries it each hour. Delete the row "
        "once the call is settled",
    ),
)

STATES = "SELECT audio_id, kind, state, cipher_sha256 FROM audio"
STATE = "SELECT state FROM audio WHERE audio_id = $1"


@dataclass(frozen=True, slots=True)
class Auditor:
    """Audits everything. `spool` None: it is on another host. `read`: read every object and compare it.

    `key_wrapper` None: do not check whether the keys open. `number_keys` None: nor whether an erased number
    is back.
    """

    objects: Objects
    spool: Spool | None
    read: bool = False
    key_wrapper: KeyWrapper | None = None
    number_keys: NumberKeys | None = None

    async def findings(self, con: asyncpg.Connection, earlier: Head | None = None) -> AsyncIterator[Finding]:
        """All findings. `earlier`: an earlier head of the chain.

        Raises ObjectsTrouble, SpoolAway, asyncpg's errors.
        """
        async for finding in self._of_chain(con, earlier):
            yield finding
        for rule in (*RULES, *RULES_OF_KEYS, *audit_erasures.RULES, audit_erasures.DISCLOSURES):
            for row in await con.fetch(rule.query):
                yield Finding(rule.kind, rule.what.format(row[0]), rule.remedy)
        for finding in [*await groups(con, self.key_wrapper), *await wal(con)]:
            yield finding
        async for finding in audit_erasures.findings(con, self.number_keys):
            yield finding
        async for finding in of_backups(con, self.objects, self.key_wrapper):
            yield finding
        if self.key_wrapper and self.number_keys:
            async for finding in of_erasures(con, self.objects, self.key_wrapper, self.number_keys):
                yield finding
        rows = {row["audio_id"]: row for row in await con.fetch(STATES)}
        async for finding in self._of_objects(con, rows):
            yield finding
        if self.spool is not None:
            for finding in self._of_spool(self.spool, rows):
                yield finding

    async def _of_chain(self, con: asyncpg.Connection, earlier: Head | None) -> AsyncIterator[Finding]:
        chain = await verify(con, earlier)
        if chain.broken:
            yield Finding("chain", chain.broken, CHANGED)
        elif not chain.passed:
            yield Finding(
                "chain",
                f"it does not pass through {earlier}, it ends with {chain.head}",
                "its end was cut off, or the database is an older copy: restore the newest one",
            )

    async def _of_objects(
        self, con: asyncpg.Connection, rows: dict[str, asyncpg.Record]
    ) -> AsyncIterator[Finding]:
        names = set()
        async for stored in self.objects.all():
            # The draft of a killed upload (ID.abcd.part) belongs to its object, and is deleted with it.
            if stored.name.startswith(PREFIX):  # storage/backup/audit.py
                continue
            audio_id = stored.name.rpartition("/")[2].partition(".")[0]
            names.add(stored.name)
            known = rows.get(audio_id)
            if known is None and datetime.now(UTC) - stored.at > ORPHANED:
                yield Finding("orphan", f"object {stored.name} belongs to no audio", "delete it in the store")
            elif known is not None and known["state"] == "destroyed":
                yield Finding(
                    "kept", f"object {stored.name} exists, but is marked as destroyed", DELETE_OBJECT
                )
        for row in rows.values():
            name = object_name(row["kind"], row["audio_id"])
            if row["state"] == "stored" and (self.read or name not in names):
                async for finding in self._of_object(con, row, name):
                    yield finding

    async def _of_object(
        self, con: asyncpg.Connection, row: asyncpg.Record, name: str
    ) -> AsyncIterator[Finding]:
        """Check it again: it may have been stored, or destroyed, while the others were listed."""
        try:
            whole = digest(await self.objects.get(name)) == row["cipher_sha256"]
        except ObjectMissing:
            if await con.fetchval(STATE, row["audio_id"]) == "stored":
                yield Finding("missing", f"object {name} is missing", RESTORE_OBJECT)
        else:
            if not whole:
                yield Finding("missing", f"object {name} has other bytes than were stored", RESTORE_OBJECT)

    def _of_spool(self, spool: Spool, rows: dict[str, asyncpg.Record]) -> list[Finding]:
        findings = []
        for file in spool.sounds():
            age = datetime.now(UTC) - file.written
            if file.audio_id not in rows:
                if age > ORPHANED + LEEWAY:
                    what = f"{file.audio_id} in the spool belongs to no call"
                    findings.append(
                        Finding("orphan", what, "the worker destroys it, unless it has a dead letter")
                    )
            elif rows[file.audio_id]["state"] != "recorded" and age > LEEWAY:
                what = f"{file.audio_id} is still in the spool"
                remedy = "check that the worker runs, and that it may delete files there"
                findings.append(Finding("kept", what, remedy))
        return findings
