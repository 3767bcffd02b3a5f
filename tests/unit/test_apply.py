"""`callengine apply`, `versions` and `rollback` beside a routing store that watches: there and back."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.__main__ import main
from cli.activation import _is_in_force
from config.applied import history
from config.errors import ConfigErrors
from config.policy import Policy
from config.settings import load_settings
from config.versions import Versions
from engine import routing_watch
from engine.routing_store import RoutingStore
from process.health import health
from process.metrics import Metrics
from tests.unit.folders import NUMBER, good_folder, write_prompt
from tests.unit.test_routing_store import one_process

__all__ = ["one_process"]  # the store's processes are functions here


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings, and the operator's routing folder `edited`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(routing_watch, "LOOK_MS", 20)
    (tmp_path / "callengine.toml").write_text(
        f'node = "a"\nrouting = "{tmp_path}/etc/routing"\nstate = "{tmp_path}/state"\n'
        "[http]\nengine_port = 1\n"  # no engine to ask
    )
    (tmp_path / "etc").mkdir()
    good_folder(tmp_path / "edited")
    return tmp_path


@pytest.fixture
def versions(place: Path) -> Versions:
    return Versions(place / "state" / "routing-versions")


@pytest.fixture
async def store(place: Path, versions: Versions) -> AsyncIterator[RoutingStore]:
    """The store of an engine that started with a first version, and watches."""
    first = RoutingStore(place / "edited", versions, place / "prompts", Policy(), timedelta(days=90))
    await first.open()
    (place / "etc" / "routing").symlink_to(versions.root / first.in_force.digest)
    store = RoutingStore(place / "etc" / "routing", versions, place / "prompts", Policy(), timedelta(days=90))
    await store.open()

    async def nothing() -> None:
        """Asterisk needs nothing here."""

    watching = asyncio.create_task(store.watch(nothing, lambda: ()))
    yield store
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


def edit(place: Path, old: str, new: str) -> None:
    file = place / "edited" / "numbers" / "main.yaml"
    file.write_text(file.read_text().replace(old, new))


def run(place: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--settings", str(place / "callengine.toml")])


async def ran(place: Path, *arguments: str) -> Result:
    """The command, while the store's loop runs."""
    return await asyncio.to_thread(run, place, *arguments)


async def in_force(store: RoutingStore, other_than: str) -> str:
    """The digest in force, once it is another one."""
    async with asyncio.timeout(20):
        while store.in_force.digest == other_than:  # noqa: ASYNC110 - the store has no event for it
            await asyncio.sleep(0.01)
    return store.in_force.digest


async def test_a_change_is_shown_and_in_force(place: Path, store: RoutingStore) -> None:
    before = store.in_force
    edit(place, "+3221112233", "+3221112234")
    done = await ran(place, "apply", str(place / "edited"), "--reason", "a new office")
    assert done.exit_code == 0, done.output
    after = await in_force(store, before.digest)
    short = (before.digest[:12], after[:12])
    assert done.output.splitlines()[:3] == [
        "changed number +3270012345",
        "    route.ring: +3221112233 -> +3221112234",
        f"{short[0]} -> {short[1]}: 1 number changed",
    ]
    assert f"{short[1]} is in force, " in done.output
    assert await store.version(before.digest) is not None, "live calls keep the version that they began with"


async def test_who_when_and_why_are_listed_and_a_rollback_leads_back(
    place: Path, store: RoutingStore
) -> None:
    before = store.in_force.digest
    edit(place, "+3221112233", "+3221112234")
    assert (await ran(place, "apply", str(place / "edited"), "--reason", "a new office")).exit_code == 0
    after = await in_force(store, before)
    done = await ran(place, "rollback", before[:8], "--reason", "the old one again")
    assert done.exit_code == 0, done.output
    assert "    route.ring: +3221112234 -> +3221112233" in done.output
    assert await in_force(store, after) == before
    listed = (await ran(place, "versions")).output.splitlines()
    assert listed[0].startswith(f"* {before[:12]}  ")
    assert listed[0].endswith(" - now")
    assert " rolled back to by " in listed[1]
    assert listed[1].endswith(": the old one again")
    assert listed[2].startswith(f"  {after[:12]}  ")
    objects = json.loads((await ran(place, "versions", "--format", "json")).output)
    assert [(it["digest"], it["live"]) for it in objects] == [(before, True), (after, False)]
    assert [it["reason"] for it in objects[1]["applied"]] == ["a new office"]
    assert [len(it["in_force"]) for it in objects] == [2, 1]


async def test_a_link_that_is_switched_there_and_back_while_it_is_read_is_read_again(
    place: Path, store: RoutingStore, versions: Versions
) -> None:
    before = store.in_force.digest
    edit(place, "+3221112233", "+3221112234")
    for _ in range(5):
        assert (await ran(place, "apply", str(place / "edited"))).exit_code == 0
        assert (await ran(place, "rollback", before)).exit_code == 0
    await in_force(store, ({it.digest for it in versions.all()} - {before}).pop())


async def test_a_folder_with_an_error_changes_nothing(place: Path, store: RoutingStore) -> None:
    before = store.in_force.digest
    edit(place, "welcome", "welcom")
    done = await ran(place, "apply", str(place / "edited"))
    assert done.exit_code == 1
    assert "there is no prompt `welcom`; did you mean `welcome`?" in done.output
    assert store.in_force.digest == before
    assert history(Versions(place / "state" / "routing-versions")) == []


async def test_a_dry_run_changes_nothing(place: Path, store: RoutingStore) -> None:
    before = store.in_force.digest
    write_prompt(place / "edited" / "prompts" / "other.wav")
    done = await ran(place, "apply", str(place / "edited"), "--dry-run")
    assert "added prompt other.wav" in done.output
    assert store.in_force.digest == before


async def test_a_folder_that_is_watched_itself_is_not_replaced(place: Path) -> None:
    good_folder(place / "etc" / "routing")
    done = await ran(place, "apply", str(place / "edited"))
    assert done.exit_code == 1
    assert f"mv {place}/etc/routing {place}/etc/routing.files" in done.output


async def test_without_an_engine_the_version_waits_for_its_start(
    place: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.activation.WAIT_SECONDS", 0)
    done = await ran(place, "apply", str(place / "edited"))
    assert done.exit_code == 1
    assert "it takes the version at its start" in done.output
    store = RoutingStore(place / "etc" / "routing", versions, place / "prompts", Policy(), timedelta(days=90))
    await store.open()
    assert store.in_force.numbers.keys() == {"3270012345"}


async def test_a_version_that_is_not_stored_cannot_come_back(place: Path, store: RoutingStore) -> None:
    done = await ran(place, "rollback", "0000")
    assert done.exit_code == 1
    assert "no stored version begins with 0000" in done.output
    done = await ran(place, "rollback", "")
    assert done.exit_code == 0, "there is one version only"


async def test_a_damaged_version_never_comes_back(
    place: Path, store: RoutingStore, versions: Versions
) -> None:
    before = store.in_force.digest
    edit(place, "+3221112233", "+3221112234")
    assert (await ran(place, "apply", str(place / "edited"))).exit_code == 0
    await in_force(store, before)
    damaged = versions.root / before / "numbers" / "main.yaml"
    damaged.chmod(0o640)
    damaged.write_text(NUMBER.replace("+3221112233", "+3221112239"))
    done = await ran(place, "rollback", before[:12])
    assert done.exit_code == 1
    assert "is damaged; apply its routing folder again" in done.output
    (place / "etc" / "routing").unlink()
    (place / "etc" / "routing").symlink_to(versions.root / before)
    with pytest.raises(ConfigErrors, match="this stored version was changed"):
        await store._put_folder_into_force(place / "etc" / "routing")


def test_what_was_put_live_is_read_as_far_as_it_can_be(place: Path, versions: Versions) -> None:
    assert history(versions) == []
    versions.root.mkdir(parents=True)
    (versions.root / "applied.jsonl").write_text('{"at": "2026-11-28T10:00:00+00:00"}\nnot json\n')
    assert history(versions) == []


async def test_the_store_knows_since_when_a_version_is_in_force(place: Path, store: RoutingStore) -> None:
    first, before = store.since, store.in_force.digest
    assert first is not None
    edit(place, "+3221112233", "+3221112234")
    assert (await ran(place, "apply", str(place / "edited"))).exit_code == 0
    await in_force(store, before)
    assert store.since is not None
    assert store.since > first
    again = RoutingStore(
        place / "etc" / "routing", store._versions, place / "prompts", Policy(), timedelta(days=90)
    )
    await again.open()
    assert again.since == store.since, "a restart of the engine is not a change"


async def test_a_version_is_in_force_when_the_engine_says_so(
    place: Path, store: RoutingStore, versions: Versions
) -> None:
    """The link on the disk leads to a version before the engine has prepared it."""
    settings = load_settings(place / "callengine.toml")
    said = {"version": "another"}
    async with health("127.0.0.1", 0, Metrics(), list, facts=lambda: {"routing": said}) as url:
        port = int(url.rpartition(":")[2])
        asked = settings.model_copy(update={"http": settings.http.model_copy(update={"engine_port": port})})
        digest = versions.in_force_digest()
        assert not await asyncio.to_thread(_is_in_force, asked, versions, digest)
        said["version"] = digest
        assert await asyncio.to_thread(_is_in_force, asked, versions, digest)


async def test_versions_that_cannot_be_written_change_nothing(place: Path) -> None:
    (place / "state").write_text("not a folder")
    done = await ran(place, "apply", str(place / "edited"))
    assert done.exit_code == 1
    assert f"Error: {place}/state" in done.output
    assert "cannot be written (Not a directory)" in done.output
    assert not (place / "etc" / "routing").exists()


def test_what_an_apply_needs_not_is_not_imported() -> None:
    """asyncpg takes 30 ms and is not needed, http.client 20: it is, once the engine reads the version."""
    modules = "cli.commands.apply, cli.activation, cli.difference, cli.routing_folder, config.storing"
    code = (
        f"import sys, {modules}; print({{'asyncpg', 'http.client', 'uvloop', 'aiohttp'}} & {{*sys.modules}})"
    )
    shown = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"
