"""The audit: tombstones, rows, keys, object store and spool held against each other.

Each finding says what is wrong and what to do. What is on its way (a sound just recorded, a destruction just
due) is no finding.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from storage.audit_keys import RULES as RULES_OF_KEYS
from storage.audit_keys import groups, wal
from storage.encrypted_store import digest, object_name
from storage.finding import Finding, Rule
from storage.key_wrapper import KeyWrapper
from storage.objects import ObjectMissing, Objects
from storage.spool import Spool
from storage.sweeping import ORPHANED
from storage.tombstones import Head, verify

LEEWAY = timedelta(minutes=5)  # for what is on its way, in the queries too
DELETE_OBJECT = "its key is gone, nobody can hear it; delete it in the store"
RESTORE_OBJECT = "restore it from the store's own copies; the sound is lost otherwise"
CHANGED = "somebody has changed the database: look who may"


RULES = (
    Rule(
        "chain",
        """SELECT audio_id FROM audio LEFT JOIN tombstone USING (audio_id)
           WHERE state = 'destroyed' AND seq IS NULL""",
        "{} is called destroyed, and has no tombstone",
        CHANGED,
    ),
    Rule(
        "chain",
        """SELECT audio_id FROM tombstone LEFT JOIN audio USING (audio_id)
           WHERE state IS DISTINCT FROM 'destroyed'""",
        "{} has a tombstone, and is not called destroyed",
        CHANGED,
    ),
    Rule(
        "kept",
        """SELECT audio_id FROM keys.audio_key LEFT JOIN audio USING (audio_id)
           WHERE coalesce(state, 'destroyed') IN ('shredded', 'destroyed')""",
        "the key of {} is there, and the sound is called destroyed",
        "delete it from keys.audio_key; a restored backup had it: leave that schema out of backups",
    ),
    Rule(
        "missing",
        """SELECT audio_id FROM audio LEFT JOIN keys.audio_key USING (audio_id)
           WHERE state = 'stored' AND wrapped IS NULL""",
        "the key of {} is not there: nobody can hear it again",
        "restore keys.audio_key if there is a copy; the message is lost otherwise",
    ),
    Rule(
        "overdue",
        """SELECT audio_id FROM audio WHERE state <> 'destroyed' AND hold IS NULL
           AND destroy_after < now() - interval '1 minute'""",
        "{} should have been destroyed",
        "is the worker running, and the object store there? its log says why it waits",
    ),
    Rule(
        "waiting",
        "SELECT audio_id FROM audio WHERE state = 'recorded' AND noted_at < now() - interval '5 minutes'",
        "{} is not stored yet",
        "is the worker of its node running, and the object store there? its log says why it waits",
    ),
    Rule(
        "held",
        "SELECT audio_id FROM legal_hold WHERE released_at IS NULL AND review_on < now()",
        "{} is under a legal hold whose review is due",
        "callengine recordings list tells whose; release it, or hold it anew",
    ),
    Rule(
        "endless",
        """SELECT audio_id FROM audio JOIN message ON message_id = audio_id
           WHERE audio.state = 'stored' AND destroy_after IS NULL AND hold IS NULL
           AND message.state IN ('accepted', 'undeliverable')
           AND message.noted_at < now() - interval '5 minutes'""",
        "{} is kept without an end",
        "callengine messages release ends it",
    ),
    Rule(
        "dead letter",
        "SELECT DISTINCT call_id FROM dead_letter ORDER BY call_id",
        "call {} has a dead letter: it has no record, or not a whole one",
        "the table dead_letter has its entries, and why; the worker tries it again each hour. Delete the row "
        "once you have seen to it",
    ),
)

STATES = "SELECT audio_id, kind, state, cipher_sha256 FROM audio"
STATE = "SELECT state FROM audio WHERE audio_id = $1"


@dataclass(frozen=True, slots=True)
class Auditor:
    """Looks at everything. `spool` None: that of another host. `read`: every object is read and compared.

    `key_wrapper` None: whether keys open is not looked at.
    """

    objects: Objects
    spool: Spool | None
    read: bool = False
    key_wrapper: KeyWrapper | None = None

    async def findings(self, con: asyncpg.Connection, noted: Head | None = None) -> AsyncIterator[Finding]:
        """All there are. `noted`: a head of before. Raises ObjectsTrouble, SpoolAway, asyncpg's errors."""
        async for finding in self._of_chain(con, noted):
            yield finding
        for rule in (*RULES, *RULES_OF_KEYS):
            for row in await con.fetch(rule.query):
                yield Finding(rule.kind, rule.what.format(row[0]), rule.remedy)
        for finding in [*await groups(con, self.key_wrapper), *await wal(con)]:
            yield finding
        rows = {row["audio_id"]: row for row in await con.fetch(STATES)}
        async for finding in self._of_objects(con, rows):
            yield finding
        if self.spool is not None:
            for finding in self._of_spool(self.spool, rows):
                yield finding

    async def _of_chain(self, con: asyncpg.Connection, noted: Head | None) -> AsyncIterator[Finding]:
        chain = await verify(con, noted)
        if chain.broken:
            yield Finding("chain", chain.broken, CHANGED)
        elif not chain.passed:
            yield Finding(
                "chain",
                f"it does not pass through {noted}, it ends with {chain.head}",
                "its end was cut off, or the database is an older copy",
            )

    async def _of_objects(
        self, con: asyncpg.Connection, rows: dict[str, asyncpg.Record]
    ) -> AsyncIterator[Finding]:
        found = set()
        async for stored in self.objects.all():
            # What a killed upload has left beside an object (ID.abcd.part) is its sound's, and goes with it.
            audio_id = stored.name.rpartition("/")[2].partition(".")[0]
            found.add(stored.name)
            known = rows.get(audio_id)
            if known is None and datetime.now(UTC) - stored.at > ORPHANED:
                yield Finding("orphan", f"object {stored.name} belongs to nothing", "delete it in the store")
            elif known is not None and known["state"] == "destroyed":
                yield Finding("kept", f"object {stored.name} is there, and called destroyed", DELETE_OBJECT)
        for row in rows.values():
            name = object_name(row["kind"], row["audio_id"])
            if row["state"] == "stored" and (self.read or name not in found):
                async for finding in self._of_object(con, row, name):
                    yield finding

    async def _of_object(
        self, con: asyncpg.Connection, row: asyncpg.Record, name: str
    ) -> AsyncIterator[Finding]:
        """Looked at again: it may have been stored, or destroyed, while the others were listed."""
        try:
            whole = digest(await self.objects.get(name)) == row["cipher_sha256"]
        except ObjectMissing:
            if await con.fetchval(STATE, row["audio_id"]) == "stored":
                yield Finding("missing", f"object {name} is not there", RESTORE_OBJECT)
        else:
            if not whole:
                yield Finding("missing", f"object {name} is not what was stored", RESTORE_OBJECT)

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
                what = f"{file.audio_id} is in the spool, and should be no more"
                findings.append(Finding("kept", what, "is the worker running, and may it delete there?"))
        return findings
