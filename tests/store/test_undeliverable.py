"""How long a message is kept that nobody took: as long as the settings say, not the month that is usual."""

from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from config.settings import Settings, load_settings
from journal.entries import Entry
from mailer.mail_settings import terms_of
from storage.key_wrapper import new_master_key
from tests.store.calls import changed
from tests.store.posting import Transports, office, own
from tests.store.smtp import Ways, mail_server
from tests.store.sounds import DELIVER, audio_id, record, voicemail_call
from tests.store.test_drainer import write
from tests.store.worker_process import until, working

KEEP = timedelta(days=3)


@pytest.fixture
def environment(database: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "spool").mkdir()
    return {
        "CALLENGINE_NODE": "here",
        "CALLENGINE_STATE": str(tmp_path),
        "CALLENGINE_DATABASE": database,
        "CALLENGINE_HTTP__WORKER_PORT": "0",
        "CALLENGINE_MASTER_KEY": new_master_key(),
        "CALLENGINE_ASTERISK__RECORDINGS": str(tmp_path / "spool"),
        "CALLENGINE_MAIL__KEEP_UNDELIVERABLE_DAYS": "3",
    }


@pytest.fixture
def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


async def test_of_one_that_every_server_refused(database: str, settings: Settings) -> None:
    refused = Ways(reply=lambda verb, _: "550 5.1.1 unknown" if verb == "RCPT" else None)
    async with (
        mail_server(refused) as kept,
        office(database, Transports({"acme.example": [own(kept)]}), terms_of(settings)) as it,
    ):
        told = await it.leave(1)
        await it.round()
        await it.later(minutes=2)
        await it.round()
        assert await it.state(told) == "undeliverable"
        assert_near(await it.keeping(told))


async def test_of_one_that_has_no_address(database: str, environment: dict[str, str], tmp_path: Path) -> None:
    nobody: list[Entry] = voicemail_call(1)
    nobody[2] = changed(nobody[2], deliver=DELIVER | {"to": []})
    record(tmp_path / "spool", 1)
    await write(tmp_path / "journal", [nobody])
    con = await asyncpg.connect(database)

    async def is_undeliverable() -> bool:
        return bool(await con.fetchval("SELECT state = 'undeliverable' FROM message"))

    try:
        with working(environment, tmp_path / "log"):
            await until(is_undeliverable, "the message is undeliverable")
        left = "SELECT destroy_after - now() FROM audio WHERE audio_id = $1"
        assert_near(await con.fetchval(left, audio_id(1)))
    finally:
        await con.close()


def assert_near(kept: timedelta | None) -> None:
    assert kept is not None
    assert KEEP - timedelta(minutes=5) < kept <= KEEP
