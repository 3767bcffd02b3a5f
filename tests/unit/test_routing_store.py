"""The routing store: what is in force, what a call that began earlier gets, and what is forgotten."""

import asyncio
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config import publish, reader, versioning
from config.errors import ConfigErrors
from config.policy import Policy
from config.versions import Versions
from engine import routing_store, routing_watch
from engine.routing_store import RoutingStore
from tests.unit.folders import NUMBER, good_folder, write_prompt
from tests.unit.in_process import answer_of

HISTORY = timedelta(days=90)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def one_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes of the store's own are functions here, but where a test is about them."""
    if "processes" not in request.fixturenames:
        for asking in (reader, publish, versioning):
            monkeypatch.setattr(asking, "answer_of", answer_of)
        monkeypatch.setattr(reader.FolderReader, "get_ready", reader.FolderReader.close)


@pytest.fixture
def processes() -> None:
    """For a test with processes of the store's own."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return good_folder(tmp_path / "routing")


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "state" / "routing-versions")


@pytest.fixture
def store(folder: Path, versions: Versions) -> RoutingStore:
    return RoutingStore(folder, versions, folder.parent / "state" / "prompts", Policy(), HISTORY)


def again(store: RoutingStore) -> RoutingStore:
    """The store of the engine that comes next."""
    return RoutingStore(store._folder, store._versions, store._prompts, store._reader.policy, store._history)


def spoil(folder: Path) -> None:
    (folder / "numbers" / "main.yaml").write_text("number: 1\n")


async def replaced(store: RoutingStore, folder: Path, label: str) -> str:
    """The digest of the version in force, after which another one has come into force."""
    before = store.in_force.digest
    (folder / "numbers" / "main.yaml").write_text(NUMBER.replace("owner:", f"label: {label}\nowner:", 1))
    assert await store.reload()
    assert store.in_force.digest != before
    return before


def label(store_or_routing: object) -> str:
    number = getattr(store_or_routing, "number", None)
    assert number is not None
    return str(number("+3270012345").label)


async def test_a_version_is_on_the_disk_when_it_is_in_force(store: RoutingStore, versions: Versions) -> None:
    await store.open()
    assert os.readlink(versions.in_force) == store.in_force.digest
    assert await store.version(store.in_force.digest) is store.in_force


@pytest.mark.usefixtures("processes")
async def test_a_call_gets_the_version_that_it_began_under(store: RoutingStore, folder: Path) -> None:
    await store.open()
    first = await replaced(store, folder, "Second")
    second = await replaced(store, folder, "Third")
    shutil.rmtree(folder)
    versions = [await again(store).version(digest) for digest in (first, second)]
    assert [label(version) for version in versions] == ["", "Second"]


async def test_a_version_hears_its_own_prompts(store: RoutingStore, folder: Path) -> None:
    await store.open()
    heard = store.in_force.prompts["welcome"]
    first = store.in_force.digest
    write_prompt(folder / "prompts" / "welcome.wav", seconds=0.3)
    assert await store.reload()
    version = await again(store).version(first)
    assert version is not None
    assert version.prompts["welcome"].path == heard.path
    assert version.prompts["welcome"].path.exists()


async def test_a_version_is_read_once(
    store: RoutingStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.open()
    first = await replaced(store, folder, "Second")
    version = await store.version(first)
    monkeypatch.setattr(versioning, "answer_of", None)
    assert await store.version(first) is version


async def test_a_version_that_is_gone_is_none(store: RoutingStore) -> None:
    await store.open()
    with capture_logs() as logs:
        assert await store.version("0" * 64) is None
    assert logs == []


@pytest.mark.usefixtures("processes")
async def test_a_damaged_version_is_reported_and_not_used(
    store: RoutingStore, folder: Path, versions: Versions
) -> None:
    await store.open()
    first = await replaced(store, folder, "Second")
    number = versions.root / first / "numbers" / "main.yaml"
    number.chmod(0o600)
    os.truncate(number, 10)
    with capture_logs() as logs:
        assert await store.version(first) is None
        assert await store.version(first) is None  # and it is not read again for every call
    assert [(entry["event"], entry["why"]) for entry in logs] == [("routing_version_unusable", "damaged")]


async def test_where_the_folder_has_errors_at_start_the_newest_version_is_in_force(
    store: RoutingStore, folder: Path
) -> None:
    await store.open()
    await replaced(store, folder, "Second")
    spoil(folder)
    after = again(store)
    await after.open()
    assert after.refused
    assert label(after.in_force) == "Second"
    assert after.in_force.prompts["welcome"].path == store.in_force.prompts["welcome"].path


async def test_where_the_newest_version_is_damaged_too_the_one_before_it_is(
    store: RoutingStore, folder: Path, versions: Versions
) -> None:
    await store.open()
    await replaced(store, folder, "Second")
    spoil(folder)
    (versions.in_force / "owners" / "acme.yaml").unlink()
    after = again(store)
    with capture_logs() as logs:
        await after.open()
    assert label(after.in_force) == ""
    assert [entry["why"] for entry in logs if entry["event"] == "routing_version_unusable"] == ["damaged"]


async def test_where_nothing_can_be_used_the_folders_errors_are_raised(
    store: RoutingStore, folder: Path
) -> None:
    spoil(folder)
    with pytest.raises(ConfigErrors) as wrong:
        await store.open()
    assert str(folder) in str(wrong.value)


async def test_the_copy_that_earlier_engines_kept_is_used_once(
    store: RoutingStore, folder: Path, versions: Versions
) -> None:
    snapshot = versions.root.with_name("routing.snapshot")
    shutil.copytree(folder, snapshot)
    spoil(folder)
    await store.open()
    assert store.refused
    assert store.in_force.numbers.keys() == {"3270012345"}
    assert not snapshot.exists()
    after = again(store)
    await after.open()
    assert after.in_force.digest == store.in_force.digest


async def test_a_state_folder_that_cannot_be_written_keeps_no_caller_waiting(
    store: RoutingStore, folder: Path, versions: Versions
) -> None:
    versions.root.parent.mkdir(exist_ok=True)
    versions.root.write_text("not a folder")
    with capture_logs() as logs:
        await store.open()
    assert store.in_force.numbers.keys() == {"3270012345"}
    assert "routing_version_unkept" in [entry["event"] for entry in logs]
    versions.root.unlink()
    assert await store.reload()
    assert os.readlink(versions.in_force) == store.in_force.digest


async def test_a_change_that_cannot_be_kept_does_not_go_live(
    store: RoutingStore, folder: Path, versions: Versions
) -> None:
    await store.open()
    before = store.in_force
    shutil.rmtree(versions.root)
    versions.root.write_text("not a folder")
    (folder / "numbers" / "main.yaml").write_text(NUMBER.replace("owner:", "label: New\nowner:", 1))
    with capture_logs() as logs:
        assert not await store.reload()
    assert store.in_force is before
    assert store.refused
    assert logs[-1]["event"] == "routing_version_unkept"


async def test_versions_of_live_calls_and_of_the_history_stay_and_others_go_with_their_prompts(
    store: RoutingStore, folder: Path, versions: Versions
) -> None:
    await store.open()
    write_prompt(folder / "prompts" / "welcome.wav", seconds=0.2)
    lived_in = await replaced(store, folder, "Live")
    write_prompt(folder / "prompts" / "welcome.wav", seconds=0.3)
    unwanted = await replaced(store, folder, "Unwanted")
    recent = await replaced(store, folder, "Recent")
    prompts = {digest: await store.version(digest) for digest in (lived_in, unwanted, recent)}
    for digest in (lived_in, unwanted):
        age(versions, digest)
    await store.forget({lived_in})
    assert {version.digest for version in versions.all()} == {lived_in, recent, store.in_force.digest}
    assert await store.version(unwanted) is None
    heard = {digest: version.prompts["welcome"].path for digest, version in prompts.items() if version}
    assert [heard[digest].exists() for digest in (lived_in, unwanted, recent)] == [True, False, True]


def age(versions: Versions, digest: str) -> None:
    """Let this version have been in force long ago only."""
    versions.enter(digest, versions_prompts(versions, digest), LONG_AGO)
    note = versions.root / f"{digest}.json"
    text = note.read_text().replace('"until": null', f'"until": "{LONG_AGO.isoformat()}"')
    for stamp in {line.split('"')[3] for line in text.splitlines() if '"since"' in line or '"until"' in line}:
        text = text.replace(stamp, LONG_AGO.isoformat())
    note.write_text(text)


def versions_prompts(versions: Versions, digest: str) -> frozenset[str]:
    return next(version.prompts for version in versions.all() if version.digest == digest)


async def test_the_watch_takes_a_change_and_removes_old_versions_now_and_then(
    store: RoutingStore, folder: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing_store, "FORGET_SECONDS", 0.0)
    monkeypatch.setattr(routing_watch, "LOOK_MS", 50)
    await store.open()
    live = await replaced(store, folder, "Live")
    old = await replaced(store, folder, "Old")
    age(versions, live)
    age(versions, old)
    changed, asked = asyncio.Queue[str](), asyncio.Queue[None]()

    def live_versions() -> set[str]:
        asked.put_nowait(None)
        return {live}

    async def publish_fallback() -> None:
        await changed.put(label(store.in_force))

    watching = asyncio.create_task(store.watch(publish_fallback, live_versions))
    async with asyncio.timeout(20):
        await changed.get()  # the first pass
        (folder / "numbers" / "main.yaml").write_text(NUMBER.replace("owner:", "label: New\nowner:", 1))
        while await changed.get() != "New":
            pass
        for _ in range(asked.qsize() + 2):  # who asks again has done with what was asked for before
            await asked.get()
    assert {version.digest for version in versions.all()} >= {live, store.in_force.digest}
    assert old not in {version.digest for version in versions.all()}
    watching.cancel()
    await asyncio.wait([watching])


async def test_the_next_engine_does_not_read_an_unchanged_folder_again(
    store: RoutingStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.open()
    following = again(store)
    await following.open()
    with monkeypatch.context() as unreadable:
        unreadable.setattr(reader, "load_in_process", None)
        assert await following.reload()
    await replaced(following, folder, "Second")
