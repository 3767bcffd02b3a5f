"""The worker's job that erases callers: from the database, this node's journal, and the database's files."""

import asyncio
import time

import asyncpg
import structlog

from config.settings import Settings, SettingsError
from journal.follower import head_of
from journal.identity import identity
from journal.redaction import Redaction, apply
from storage import erasure, erasure_status, journal_position
from storage.erased_number import NumberKeys, spellings
from storage.erasure import Erasure
from storage.key_wrapper import MasterKeyError
from worker.drainer import Drainer
from worker.job import Job
from worker.metrics import WorkerMetrics

LOOK_SECONDS = 2.0
JOURNAL_SECONDS = 5.0  # between two looks through the whole journal, while a call of the caller lives
log = structlog.get_logger()


class Erasing:
    """`troubles`: why an erasure cannot go on. Raises SettingsError when the master key is not one."""

    def __init__(self, settings: Settings, drainer: Drainer, metrics: WorkerMetrics) -> None:
        self.job = Job("erase", self._look, LOOK_SECONDS)
        self.troubles: list[str] = []
        self._node = settings.node
        self._journal = settings.journal_dir
        self._country = settings.country
        self._keys = keys_of(settings)
        self._drainer = drainer
        self._metrics = metrics
        self._next_look: dict[int, float] = {}
        self._clean: dict[int, set[str]] = {}

    async def _look(self, con: asyncpg.Connection) -> bool:
        troubles = []
        for one in await erasure.unfinished(con):
            number = self._keys.open(one.sealed) if self._keys else None
            if number is None:
                troubles.append(f"erasure {one.erasure_id}: add the master key of its day to `master_key`")
            else:
                await self._advance(con, one, spellings(number, self._country))
        self.troubles = troubles
        self._metrics.erasures.set(await erasure.count(con))
        return False

    async def _advance(self, con: asyncpg.Connection, one: Erasure, spelled: list[str]) -> None:
        """Do what can be done now of this erasure; what cannot is done at the next look."""
        while rows := await erasure.erase(con, one, spelled):
            self._next_look.pop(one.erasure_id, None)
            log.info("caller_erased", erasure=one.erasure_id, rows=rows)
        await self._clean_journal(con, one, spelled)
        row = (await con.fetch(erasure_status.ALL, one.erasure_id))[0]
        if row["certified"] is not None or not await self._is_in_no_file(con, one, row):
            return
        seq = await erasure.certify(con, one, spelled)
        self._clean.pop(one.erasure_id, None)
        log.info("erasure_certified", erasure=one.erasure_id, certificate=seq)

    async def _clean_journal(self, con: asyncpg.Connection, one: Erasure, spelled: list[str]) -> None:
        if await erasure.journal_is_clean(con, one, self._node):
            return
        live = self._drainer.open_calls
        if live is None or time.monotonic() < self._next_look.get(one.erasure_id, 0.0):
            return
        self._next_look[one.erasure_id] = time.monotonic() + JOURNAL_SECONDS
        spared = await erasure.held_calls(con, one, spelled)
        clean = self._clean.setdefault(one.erasure_id, set())
        redaction = Redaction(frozenset(spelled), one.until, live, spared, clean)
        found = await asyncio.to_thread(redaction.find, self._journal, self._drainer.drained)
        # On the loop, as the drainer reads: so it never reads a record that is half written.
        apply(found.patches)
        segment = self._drainer.drained.segment
        journal = identity(self._journal) or ""
        await journal_position.store_head(con, journal, segment, head_of(self._journal, segment))
        await erasure.looked_at_journal(con, one, self._node, found.left)

    async def _is_in_no_file(self, con: asyncpg.Connection, one: Erasure, row: asyncpg.Record) -> bool:
        if row["rewritten_at"] is not None:
            return [why async for why in erasure_status.after_rewrite(con, one.erasure_id)] == []
        if row["waits_for"] is None:
            await erasure.see_transactions(con, one)
        if [why async for why in erasure_status.before_rewrite(con, one.erasure_id)] == []:
            try:
                await erasure.rewrite(con, one)
            except asyncpg.LockNotAvailableError:
                log.warning("rewrite_deferred", erasure=one.erasure_id)
        return False


def keys_of(settings: Settings) -> NumberKeys | None:
    """None without a master key: then nobody could ask. Raises SettingsError when it is not one."""
    text = settings.master_key.get_secret_value()
    try:
        return NumberKeys.of(text) if text else None
    except MasterKeyError as wrong:
        raise SettingsError([f"master_key: {wrong}"]) from None
