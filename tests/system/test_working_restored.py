"""The database is lost: the backup is restored as the guide says, and journals bring the calls since."""

import re

import pytest

from devkit.carrier import Carrier
from devkit.phones import Phones
from tests.system.guest import Guest
from tests.system.guide import blocks, filled_in
from tests.system.house import RECORDED, RESTORED
from tests.system.test_packages import READY
from tests.system.test_working import CALLER, record_of
from tests.system.test_working_daily import talk

pytestmark = [pytest.mark.timeout(1800)]
BACKUPS = "/var/backups/callengine"


async def test_records_and_recordings_are_back_with_the_calls_since_the_backup(
    production: Guest, telephones: Phones, network: Carrier
) -> None:
    back_up, restore = blocks("Backup")
    production.run(back_up.text)
    (file,) = production.run(f"ls -t {BACKUPS}/callengine-*.backup | head -n 1").split()
    await talk(telephones, network, RESTORED, CALLER)
    record = await record_of(production, RESTORED)

    production.run("psql -qc 'DROP DATABASE callengine WITH (FORCE)'", user="postgres")
    psql = "runuser -u postgres -- psql -v ON_ERROR_STOP=1 postgres"
    empty = f"{psql} <<'END OF SQL'\n{database()}\nEND OF SQL"
    text = filled_in(restore, {f"{BACKUPS}/callengine-ID.backup": file})
    *steps, audit = re.sub("^# now create .*$", lambda _: empty, text, flags=re.MULTILINE).splitlines()
    said = production.run("\n".join(steps), seconds=120)
    assert "call records and" in said
    await production.until(READY)
    assert await record_of(production, RESTORED) == record
    assert "no findings" in await production.until(audit, 60)
    recording = (await record_of(production, RECORDED))["recording_id"]
    production.run(f"callengine recordings fetch {recording} --output /root/again.flac")
    assert production.run("head -c 4 /root/again.flac") == "fLaC"


def database() -> str:
    """The guide's SQL that makes the database; its roles are there."""
    (block,) = blocks("Database", "sql")
    return block.text[block.text.index("CREATE DATABASE") :]
