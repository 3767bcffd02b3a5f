"""The worker's whole work, and the operator's commands, under the worker's role."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import AsyncMock

import asyncpg
import pytest

from mailer.overview import NotNow, release, retry
from storage import access, recordings, retentions
from storage import migrate as schema
from storage.audit import Auditor
from storage.migrate import migrate, migrations
from storage.objects.directory import Directory
from storage.recordings import Hold
from storage.retentions import Retention
from tests.store.conftest import FOR_SUPERUSERS, execute
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.keeping import House, house_of
from tests.store.nights import Night, hold_against_what_was_promised
from tests.store.smtp import mail_server
from tests.store.sounds import audio_id, record, voicemail_call
from tests.store.test_worker import asked, wait_for
from tests.store.worker_process import until, working

ROTATED = "SELECT count(*) = 1 FROM keys.epoch WHERE epoch > 1 AND cleared IS NOT NULL"
RESIDUE = "SELECT count(*) FROM keys.residue"
HOLD = Hold("claim", "court 12/2026", "A. Peeters", "B. Janssens", date(2099, 1, 1))


@pytest.fixture
async def house(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(roles["worker"], tmp_path) as found:
        yield found


async def test_it_drains_seals_mails_destroys_sweeps_and_rotates(
    roles: Mapping[str, str], tmp_path: Path
) -> None:
    superuser = await asyncpg.connect(roles["superuser"])
    async with mail_server() as post:
        state = tmp_path / "state"
        night = Night(state, superuser, roles["worker"], post, Directory(state / "objects"))
        await night.begin()
        night.told["CALLENGINE_KEY_ROTATION_MINUTES"] = "0"

        async def has_rotated() -> bool:
            return bool(await superuser.fetchval(ROTATED)) and await superuser.fetchval(RESIDUE) == 0

        with working(night.told, state / "log"):
            await until(night.is_done, "everything is mailed and destroyed")
            await until(has_rotated, "the destroyed keys are gone")
        await hold_against_what_was_promised(night)
    assert "insufficient" not in (state / "log").read_text().lower()
    await superuser.close()


async def test_with_an_older_schema_it_says_so_and_goes_on_once_the_owner_has_migrated(
    roles: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute(roles["superuser"], "DROP SCHEMA keys CASCADE; DROP OWNED BY callengine_owner CASCADE")
    owner, superuser = [await asyncpg.connect(roles[role]) for role in ("owner", "superuser")]
    with monkeypatch.context() as before:
        before.setattr(schema, "migrations", lambda: [it for it in migrations() if it.name < "008"])
        before.setattr(schema, "grant", AsyncMock())
        await migrate(owner)
    state = tmp_path / "state"
    async with mail_server() as post:
        night = Night(state, superuser, roles["worker"], post, Directory(state / "objects"))
        await night.begin()
        (state / "log").touch()
        with working(night.told, state / "log"):
            await asyncio.to_thread(wait_for, state, "schema_behind")
            code, reasons = await asyncio.to_thread(asked, state, "/ready")
            assert (code, "run `callengine migrate` as the schema's owner" in reasons) == (503, True)
            await migrate(owner)
            await until(night.is_done, "everything is mailed and destroyed")
    for con in (owner, superuser):
        await con.close()


async def test_it_keeps_recordings_holds_releases_and_shortens(house: House) -> None:
    for n in (1, 2, 3):
        record_talk(house.spool.folder, n)
    await house.drain(*(recorded_call(n, days=36_500) for n in (1, 2, 3)))
    await house.drain(*(recorded_call(n, days=36_500) for n in (1, 2, 3)), rev=9)  # corrected
    await house.seal()
    await recordings.hold(house.con, recording_id(1), HOLD)
    await recordings.destroy(house.con, recording_id(2))
    for n in (1, 2):
        await access.add(house.con, recording_id(n), access.Access.FETCH)
    await retentions.store(house.con, "here", {"acme": Retention(timedelta(days=36_500))})
    await retentions.store(house.con, "here", {"acme": Retention(timedelta(days=1))})
    await retentions.shorten(house.con, "here")
    await house.destroy()
    assert [await house.state(recording_id(n)) for n in (1, 2)] == ["stored", "destroyed"]
    await recordings.release(house.con, recording_id(1), "C. Claes")
    await house.destroy_now(recording_id(1), recording_id(3))
    await house.rotate()
    assert await house.con.fetchval(RESIDUE) == 0


async def test_it_sweeps_sets_free_and_sends_again(house: House) -> None:
    record(house.spool.folder, 1)
    record(house.spool.folder, 2, 3, 0.0003)
    await house.drain(voicemail_call(1), voicemail_call(2, missed=True))
    await house.seal()
    await house.sweeper.sweep(house.con, frozenset())
    await retry(house.con, audio_id(1))
    with pytest.raises(NotNow):
        await release(house.con, audio_id(1))
    await house.con.execute("UPDATE message SET state = 'undeliverable' WHERE message_id = $1", audio_id(1))
    await release(house.con, audio_id(1))
    await house.destroy()
    assert await house.state(audio_id(1)) == "destroyed"


async def test_its_audit_sees_everything_and_without_its_two_rights_says_what_it_does_not_see(
    house: House, roles: Mapping[str, str]
) -> None:
    record(house.spool.folder, 1)
    await house.drain(voicemail_call(1))
    await house.seal()
    await house.destroy_now(audio_id(1))
    await house.rotate()
    auditor = Auditor(house.store, house.spool, read=True, key_wrapper=house.key_wrapper)
    assert [str(it) async for it in auditor.findings(house.con)] == []
    without = FOR_SUPERUSERS.replace("GRANT", "REVOKE").replace(" TO ", " FROM ")
    await execute(roles["superuser"], without)
    (found,) = [str(it) async for it in auditor.findings(house.con)]
    assert found.startswith("residue: this role cannot see whether old WAL exists")
    record(house.spool.folder, 2)
    await house.drain(voicemail_call(2), rev=2)
    await house.seal()
    await house.destroy_now(audio_id(2))
    await house.rotate()
    assert await house.con.fetchval("SELECT epoch FROM keys.epoch") == 3
