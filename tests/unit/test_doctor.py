"""The doctor: each check finds its fault and passes without it; a check that raises or hangs is a finding."""

import asyncio
import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cli.doctor import clock, files, processes, units
from cli.doctor.examination import Check, examine
from cli.doctor.finding import Finding, Level
from cli.doctor.scene import Reply, Scene
from cli.doctor.table import CHECKS
from tests.unit.examined import answers, systemd, well, whats


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return well(tmp_path, monkeypatch)


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
