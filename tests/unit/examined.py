"""A host in which everything is well, for tests of the doctor, and what its programs answer."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from cli.doctor import files
from cli.doctor.finding import Finding
from cli.doctor.scene import Reply, Scene
from config.asterisk import Asterisk
from config.settings import Settings

Words = dict[str, str]
SAMPLE = Path(__file__).resolve().parents[2] / "config/samples/dentist"


def well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
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
