"""Files of carriers that change while the engine runs: read again, given to Asterisk, or refused."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs

from config.trunks import load_trunks
from engine.ari.client import Client
from engine.ari.errors import AriError
from engine.trunk_files import NAME, TrunkFiles
from engine.trunk_sections import render
from tests.unit.test_trunks import BETA, folder

ALPHA = "host: a.example\n"


class Reloads:
    """Asterisk's module manager."""

    def __init__(self) -> None:
        self.modules: list[str] = []
        self.is_away = False

    async def reload_module(self, name: str) -> None:
        if self.is_away:
            raise AriError(503, "away")
        self.modules.append(name)


@pytest.fixture
def reloads() -> Reloads:
    return Reloads()


@pytest.fixture
def files(tmp_path: Path, reloads: Reloads) -> TrunkFiles:
    (tmp_path / "etc").mkdir()
    (tmp_path / "trunks").mkdir()
    client = cast("Client", SimpleNamespace(asterisk=reloads))
    return TrunkFiles(tmp_path / "trunks", tmp_path / "etc", client, {"beta": "secret"})


async def test_asterisk_gets_the_carriers_and_loads_them(
    files: TrunkFiles, reloads: Reloads, tmp_path: Path
) -> None:
    folder(tmp_path / "trunks", beta=BETA)
    assert files.read()
    await files.publish()
    assert "password = secret" in (tmp_path / "etc" / NAME).read_text()
    assert (reloads.modules, files.names) == (["res_pjsip.so"], ("trunk", "beta"))
    assert not files.read()


async def test_a_wrong_file_leaves_what_asterisk_has_until_it_is_right_again(
    files: TrunkFiles, tmp_path: Path
) -> None:
    folder(tmp_path / "trunks", alpha=ALPHA)
    files.read()
    folder(tmp_path / "trunks", beta="hosts: a.example\nsrtp: true\n")
    with capture_logs() as logs:
        assert not files.read()
    assert {line["event"] for line in logs} == {"trunk_refused"}
    assert files.names == ("trunk", "alpha")
    assert "beta.yaml" in files.warnings[0]
    folder(tmp_path / "trunks", beta=BETA)
    assert files.read()
    assert files.warnings == []
    assert list(files.names) == ["trunk", "alpha", "beta"]


async def test_files_that_are_wrong_at_the_start_leave_what_an_earlier_engine_wrote(
    files: TrunkFiles, tmp_path: Path
) -> None:
    (tmp_path / "etc" / NAME).write_text("[beta]\n")
    folder(tmp_path / "trunks", beta="hosts: a.example")
    files.read()
    await files.publish()
    assert (tmp_path / "etc" / NAME).read_text() == "[beta]\n"


async def test_a_carrier_without_its_password_is_logged_and_the_password_is_not(
    files: TrunkFiles, tmp_path: Path
) -> None:
    folder(tmp_path / "trunks", beta=BETA, gamma='host: a.example\nuser: "4712"\n')
    with capture_logs() as logs:
        files.read()
    assert [(line["event"], line["trunk"]) for line in logs] == [("trunk_password_missing", "gamma")]
    assert "secret" not in str(logs)


async def test_an_asterisk_that_does_not_load_them_is_logged(
    files: TrunkFiles, reloads: Reloads, tmp_path: Path
) -> None:
    folder(tmp_path / "trunks", alpha=ALPHA)
    files.read()
    reloads.is_away = True
    with capture_logs() as logs:
        await files.publish()
    assert [line["event"] for line in logs] == ["trunks_not_published"]
    reloads.is_away = False
    await files.publish()
    assert reloads.modules == ["res_pjsip.so"]


async def test_a_change_is_taken_once_nobody_writes_any_more(
    files: TrunkFiles, tmp_path: Path, looptime: None
) -> None:
    changes: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
    files.read()
    watching = asyncio.create_task(files.watch(lambda: changes.put(files.names)))
    await asyncio.sleep(1)  # the clock jumps; nothing has changed
    assert changes.empty()
    folder(tmp_path / "trunks", alpha=ALPHA)
    assert await changes.get() == ("trunk", "alpha")
    (tmp_path / "trunks/alpha.yaml").unlink()
    assert await changes.get() == ("trunk",)
    watching.cancel()


def test_the_first_carriers_file_replaces_its_settings_in_pjsip_conf(tmp_path: Path) -> None:
    trunks = folder(
        tmp_path, trunk="host: a.example\nnat: true\n", beta='host: b.example\ncodecs: ["opus"]\n'
    )
    lines = render(load_trunks(trunks), {}, "").splitlines()
    assert lines.count("[trunk0](+type=endpoint)") == 1
    (name,) = {line.removeprefix("aors = ") for line in lines if line.startswith("aors = trunk_")}
    assert lines.count(f"aors = {name}") == 11
    assert f"[{name}]" in lines
    assert lines[lines.index("[from7](+type=endpoint)") :][:3] == [
        "[from7](+type=endpoint)",
        "allow = opus",
        "rtp_symmetric = yes",
    ]
