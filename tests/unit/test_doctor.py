"""The doctor: each check finds its fault and passes without it; a check that raises or hangs is a finding."""

import asyncio
import json
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest

from cli.doctor import clock, files, mail, network, processes, stored, telephony, units
from cli.doctor.examination import Check, examine
from cli.doctor.finding import Finding, Level
from cli.doctor.scene import Reply, Scene
from cli.doctor.table import CHECKS
from config.asterisk import Asterisk
from config.load import load
from config.settings import Settings
from engine.fallback import NAME, render

Words = dict[str, str]
SAMPLE = Path(__file__).resolve().parents[2] / "config/samples/dentist"


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An installed host in which everything is well."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    shutil.copytree(SAMPLE, tmp_path / "routing")
    for name in ("state", "recording", "cel", "etc", "credentials"):
        (tmp_path / name).mkdir(mode=0o750)
    for name in files.CREDENTIALS:
        credential = tmp_path / "credentials" / name
        credential.write_text("secret\n")
        credential.chmod(0o600)
    asterisk = Asterisk(
        etc_dir=tmp_path / "etc", recordings=tmp_path / "recording", cel=tmp_path / "cel/Master.csv"
    )
    settings = Settings(
        _secrets_dir=None, state=tmp_path / "state", asterisk=asterisk, routing=tmp_path / "routing"
    )
    return Scene(settings, tmp_path / "callengine.toml", proc=tmp_path / "proc")


def systemd(**states: Words) -> Callable[..., Any]:
    """A systemctl that knows these units, by their names without `callengine-`."""
    well = {"ActiveState": "active", "UnitFileState": "enabled", "MainPID": "7"}

    async def run(*command: str) -> Reply:
        unit = command[2].removeprefix("callengine-").replace(".", "_")
        values = well | states.get(unit, {})
        return Reply(0, "\n".join(f"{name}={value}" for name, value in values.items()))

    return run


def answers(text: str, status: int = 0) -> Callable[..., Any]:
    async def give(*_: str) -> Reply:
        return Reply(status, text)

    return give


def records(**known: list[str]) -> Callable[..., Any]:
    async def resolve(_name: str, kind: str) -> list[str]:
        return known.get(kind, [])

    return resolve


def whats(findings: Iterable[Finding]) -> list[str]:
    return [finding.what for finding in findings]


async def test_a_check_that_raises_or_hangs_is_a_finding_and_hides_no_other(scene: Scene) -> None:
    async def raises(_: Scene) -> list[Finding]:
        raise RuntimeError("no such thing")

    async def hangs(_: Scene) -> list[Finding]:
        await asyncio.sleep(3600)  # longer than any limit
        return []

    async def finds(_: Scene) -> list[Finding]:
        return [Finding("a fault", "a remedy")]

    checks = [
        Check("a", raises, "it works"),
        Check("b", hangs, "it answers"),
        Check("c", finds, "it is there"),
    ]
    found = await examine(scene, checks)
    assert [str(finding) for finding in found] == [
        "error: a: it works: RuntimeError: no such thing; correct what it names",
        "error: b: no answer within 10 s to: it answers; look at the network, and whether that service hangs",
        "error: c: a fault; a remedy",
    ]


def test_every_check_has_a_name_of_its_own_and_a_time_limit() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names) >= 25
    assert all(0 < check.seconds <= 30 for check in CHECKS)


async def test_units_run_and_start_with_the_host(scene: Scene) -> None:
    assert await units.units(replace(scene, run=systemd())) == []
    run = systemd(
        engine={"ActiveState": "failed"},
        worker={"UnitFileState": "disabled"},
        asterisk={"NeedDaemonReload": "yes"},
    )
    assert whats(await units.units(replace(scene, run=run))) == [
        "the file of callengine-asterisk has changed since it was read",
        "callengine-engine is failed",
        "callengine-worker would not start with the host",
    ]


async def test_the_audit_is_on_and_found_nothing(scene: Scene) -> None:
    assert await units.audit(replace(scene, run=systemd())) == []
    run = systemd(audit_timer={"ActiveState": "inactive"}, audit_service={"ActiveState": "failed"})
    assert len(await units.audit(replace(scene, run=run))) == 2


async def test_asterisk_is_the_installed_one_with_real_time_priority(scene: Scene) -> None:
    process = scene.proc / "7"
    process.mkdir(parents=True)
    (process / "stat").write_text(f"7 (a b) c) S {' '.join(['0'] * 37)} {os.SCHED_RR} 0 0\n")
    (process / "exe").symlink_to("/usr/sbin/asterisk")
    well = replace(scene, run=systemd())
    assert await units.versions(well) == await units.priority(well) == []
    (process / "exe").unlink()
    (process / "exe").symlink_to("/usr/sbin/asterisk (deleted)")
    (process / "stat").write_text(f"7 (asterisk) S {' '.join(['0'] * 37)} {os.SCHED_OTHER} 0 0\n")
    assert "updated" in whats(await units.versions(well))[0]
    assert "real-time" in whats(await units.priority(well))[0]


async def test_passwords_are_there_for_root_alone(scene: Scene) -> None:
    assert await files.credentials(scene) == []
    (scene.credentials / "master_key").write_text(" \n")
    (scene.credentials / "database").chmod(0o644)
    assert [what.rpartition("/")[2] for what in whats(await files.credentials(scene))] == [
        "master_key is missing or empty",
        "database can be read by others than its owner",
    ]


def test_the_passwords_are_those_that_the_units_need() -> None:
    root = Path(__file__).resolve().parents[2]
    units_text = "\n".join(file.read_text("utf-8") for file in root.glob("systemd/*-[!p]*.service"))
    assert set(re.findall(r"^LoadCredential=([a-z_]+):", units_text, re.M)) == set(files.CREDENTIALS)


async def test_folders_are_there_closed_and_not_full(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await files.folders(scene) == []
    scene.settings.asterisk.recordings.rmdir()
    scene.settings.asterisk.cel.parent.chmod(0o757)
    assert [what.rpartition("/")[2] for what in whats(await files.folders(scene))] == [
        "recording is missing",
        "cel is open to every user",
    ]
    monkeypatch.setattr(files, "LOW_BYTES", 2**62)
    assert len(await files.disk(scene)) == 2


async def test_plain_audio_does_not_stay_and_cel_is_rotated(scene: Scene) -> None:
    young, old = (scene.settings.asterisk.recordings / name for name in ("young.wav", "old.wav"))
    young.write_bytes(b"")
    assert await files.spool(scene) == await files.cel(scene) == []
    old.write_bytes(b"")
    os.utime(old, (time.time() - 7200,) * 2)
    with scene.settings.asterisk.cel.open("wb") as file:
        file.truncate(files.CEL_BYTES)
    assert whats(await files.spool(scene))[0].startswith("1 files in ")
    assert "64 MiB" in whats(await files.cel(scene))[0]


def test_a_clock_that_no_service_keeps_is_a_warning() -> None:
    assert clock.of_state(0) == []
    assert clock.of_state(clock.TIME_ERROR)[0].level is Level.WARNING


async def test_what_engine_and_worker_say_of_themselves(scene: Scene) -> None:
    said = json.dumps({"ready": False, "reasons": ["the schema is old"], "warnings": ["the disk is full"]})
    found = await processes.worker(replace(scene, fetch=answers(said)))
    assert [(finding.level, finding.what) for finding in found] == [
        (Level.ERROR, "the schema is old"),
        (Level.WARNING, "the disk is full"),
    ]

    async def refused(url: str) -> Reply:
        raise ConnectionRefusedError(f"nobody at {url}")

    assert (
        "nobody at http://127.0.0.1:9460/ready"
        in whats(await processes.engine(replace(scene, fetch=refused)))[0]
    )


async def test_a_metric_beyond_its_limit_is_found(scene: Scene) -> None:
    page = "# HELP x\ncallengine_dead_letters 2.0\ncallengine_journal_degraded 0.0\n"
    page += "callengine_backup_age_seconds +Inf\n"
    assert whats(await processes.metrics(replace(scene, fetch=answers(page)))) == [
        "callengine_dead_letters is 2",
        "there is no backup",
    ]


async def test_each_error_of_the_routing_folder_is_found(scene: Scene) -> None:
    assert await processes.routing(scene) == []
    (scene.settings.routing / "numbers/wrong.yaml").write_text("number: 12\n")
    assert len(await processes.routing(scene)) >= 2


class Database:
    """A connection that answers by the beginning of each query; an exception is raised."""

    def __init__(self, **replies: Any) -> None:
        self.replies = {"SELECT 1": 1, "SELECT has_table": True, "SELECT current_user": "worker"} | replies

    async def fetchval(self, query: str, *_: object) -> Any:
        value = next((value for start, value in self.replies.items() if query.startswith(start)), None)
        if isinstance(value, Exception):
            raise value
        return value

    async def fetch(self, _query: str, *_: object) -> list[Any]:
        raise asyncpg.UndefinedTableError("no table")


def with_database(scene: Scene, database: Database) -> Scene:
    @asynccontextmanager
    async def connect(_url: str) -> AsyncIterator[asyncpg.Connection]:
        yield cast("asyncpg.Connection", database)

    return replace(scene, database=connect)


async def test_a_database_that_is_away_or_has_no_schema_is_found(scene: Scene) -> None:
    assert await stored.database(with_database(scene, Database())) == []
    away = Database(**{"SELECT 1": ConnectionRefusedError("away")})
    assert "away" in whats(await stored.database(with_database(scene, away)))[0]
    assert "no schema" in whats(await stored.schema(with_database(scene, Database())))[0]


async def test_a_role_with_too_few_or_too_many_rights_is_found(scene: Scene) -> None:
    assert await stored.roles(with_database(scene, Database())) == []
    superuser = Database(**{"SELECT rolsuper": True})
    assert "superuser" in whats(await stored.roles(with_database(scene, superuser)))[0]
    owner = Database(**{"SELECT pg_has_role": True})
    assert "owns the schema" in whats(await stored.roles(with_database(scene, owner)))[0]
    poor = Database(**{"SELECT has_table": False})
    assert "SELECT on public.access" in whats(await stored.roles(with_database(scene, poor)))[0]


async def test_a_missing_master_key_and_a_store_that_refuses_are_found(scene: Scene) -> None:
    assert "not set" in whats(await stored.keys(scene))[0]
    assert await stored.store(scene) == []
    (scene.settings.state / "objects").rmdir()
    (scene.settings.state / "objects").write_text("not a folder")
    assert await stored.store(scene) != []


async def test_the_fallbacks_of_asterisk_are_those_of_the_routing(scene: Scene) -> None:
    etc = scene.settings.asterisk.etc_dir
    assert etc is not None
    fallbacks = load(scene.settings.routing, None).fallbacks
    assert fallbacks
    (etc / NAME).write_text(render(fallbacks, "FB_3270099999=+3221112233"))
    assert await telephony.fallback(scene) == []
    (etc / NAME).write_text(render({"3270099999": "+3221112233"}, ""))
    (what,) = whats(await telephony.fallback(scene))
    assert what.endswith(", ".join(sorted([*fallbacks, "3270099999"])[:5]))


async def test_a_load_limit_that_refuses_calls_is_found(scene: Scene) -> None:
    etc = scene.settings.asterisk.etc_dir
    assert etc is not None
    (etc / "asterisk.conf").write_text("maxload = 0   ; never\nmaxfiles = 16384\n")
    assert await telephony.limits(scene) == []
    (etc / "asterisk.conf").write_text("maxload = 1.5\nmaxfiles = 1024\n")
    assert len(await telephony.limits(scene)) == 2


CONTACTS = """
  Contact:  <Aor/ContactUri..............................> <Hash....> <Status> <RTT(ms)..>
==========================================================================================
  Contact:  trunk/sip:192.0.2.1:5060                       1b2c3d4e5f {state}     nan
"""


@pytest.mark.parametrize(("state", "found"), [("Avail  ", 0), ("NonQual", 0), ("Unavail", 1)])
async def test_a_carrier_that_does_not_answer_is_found(scene: Scene, state: str, found: int) -> None:
    run = answers(CONTACTS.replace("{state}", state))
    assert len(await telephony.trunk(replace(scene, run=run))) == found


async def test_no_carrier_at_all_is_found(scene: Scene) -> None:
    assert whats(await telephony.trunk(replace(scene, run=answers("")))) == ["no carrier is configured"]


SOCKETS = {
    "tcp": ["0100007F:1F98 00000000:0000 0A 123", "00000000:1F98 00000000:0000 0A 123"],
    "udp": [
        "0A0200C0:13C4 00000000:0000 07 123",
        "00000000:ED64 00000000:0000 07 123",
        "00000000:4E20 00000000:0000 07 123",
    ],
    "tcp6": ["00000000000000000000000001000000:1538 00000000000000000000000000000000:0000 0A 124"],
    "udp6": ["00000000000000000000000000000000:0FA0 00000000000000000000000000000000:0000 07 999"],
}


async def test_a_port_that_strangers_reach_is_found_except_sip_rtp_questions_and_those_of_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc = scene.settings.asterisk.etc_dir
    assert etc is not None
    (etc / "pjsip.conf").write_text("[udp]\nbind = 192.0.2.10:5060\n")
    (etc / "rtp.conf").write_text("rtpstart = 20000\nrtpend = 20900\n")
    (scene.proc / "net").mkdir(parents=True)
    for table, sockets in SOCKETS.items():
        rows = [socket.split() for socket in sockets]
        lines = [f"0: {local} {peer} {state} 0:0 0:0 0 {uid} 0" for local, peer, state, uid in rows]
        (scene.proc / "net" / table).write_text("\n".join(["header", *lines]))
    monkeypatch.setattr(network, "uids", lambda: iter([(123, "asterisk"), (124, "postgres")]))
    assert whats(await network.strangers(scene)) == ["tcp port 8088 of user asterisk is open on 0.0.0.0"]


async def test_the_senders_domain_has_its_records(scene: Scene) -> None:
    sender = scene.settings.mail.model_copy(update={"sender": "vm@provider.example"})
    scene = replace(scene, settings=scene.settings.model_copy(update={"mail": sender}))
    well = replace(
        scene,
        resolve=records(
            MX=["10 mx.provider.example."], TXT=['"v=spf1 a -all"'], A=["192.0.2.7"], PTR=["host.example."]
        ),
    )
    for look in (mail.sender, mail.mx, mail.spf):
        assert await look(well) == []
    bare = replace(scene, resolve=records())
    for look in (mail.mx, mail.spf, mail.reverse):
        assert len(await look(bare)) == 1
    assert "reverse name of 192.0.2.7" in whats(await mail.reverse(well))[0]


async def test_without_a_sender_nothing_is_mailed_and_bounces_need_a_port(scene: Scene) -> None:
    assert "not set" in whats(await mail.sender(scene))[0]
    changed = {"sender": "vm@provider.example", "smarthost": "127.0.0.1"}
    settings = scene.settings.model_copy(update={"mail": scene.settings.mail.model_copy(update=changed)})
    assert "bounces_port" in whats(await mail.sender(replace(scene, settings=settings)))[0]
