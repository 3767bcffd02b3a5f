"""The watch on the routing folder does not go deaf, however the folder is replaced."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from engine import routing_watch
from engine.routing_watch import follow, passes, switches
from tests.unit.folders import NUMBER, good_folder

SECONDS = 20


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing_watch, "LOOK_MS", 50)
    monkeypatch.setattr(routing_watch, "QUIET_MS", 20)


class Watch:
    """The passes of a watch, to be waited for."""

    def __init__(self, looks: AsyncGenerator[bool]) -> None:
        self.looks = looks

    async def sees_a_change(self) -> None:
        async with asyncio.timeout(SECONDS):
            while not await anext(self.looks):
                pass

    async def is_quiet(self) -> None:
        async with asyncio.timeout(SECONDS):
            while await anext(self.looks):
                pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return good_folder(tmp_path / "routing")


@pytest.fixture
async def watch(folder: Path) -> AsyncIterator[Watch]:
    looks = passes(folder)
    watch = Watch(looks)
    await watch.sees_a_change()  # the first pass: what was changed before it
    await watch.is_quiet()
    yield watch
    await looks.aclose()


def edit(folder: Path) -> None:
    """As an editor does that writes in place: no folder's change time tells of it."""
    with (folder / "numbers" / "main.yaml").open("a") as file:
        file.write("# edited\n")


async def test_a_change_in_place_is_seen(watch: Watch, folder: Path) -> None:
    edit(folder)
    await watch.sees_a_change()


def rename(folder: Path) -> None:
    """As the guide says: a copy is edited, and moved into place."""
    new = good_folder(folder.with_name("new"))
    folder.rename(folder.with_name("old"))
    new.rename(folder)


def remove_and_make_anew(folder: Path) -> None:
    shutil.rmtree(folder)
    good_folder(folder)


def replace_numbers(folder: Path) -> None:
    new = folder.with_name("numbers")
    shutil.copytree(folder / "numbers", new)
    (folder / "numbers").rename(folder.with_name("old"))
    new.rename(folder / "numbers")


def empty_and_fill(folder: Path) -> None:
    """As rsync --delete, or a checkout, may."""
    shutil.rmtree(folder / "numbers")
    (folder / "numbers").mkdir()
    (folder / "numbers" / "main.yaml").write_text(NUMBER)


@pytest.mark.parametrize("replace", [rename, remove_and_make_anew, replace_numbers, empty_and_fill])
async def test_a_change_in_a_folder_that_was_replaced_is_seen(
    watch: Watch, folder: Path, replace: Callable[[Path], None]
) -> None:
    for _ in range(2):
        replace(folder)
        await watch.sees_a_change()
        await watch.is_quiet()
        edit(folder)
        await watch.sees_a_change()
        await watch.is_quiet()
        shutil.rmtree(folder.with_name("old"), ignore_errors=True)


def make_anew(folder: Path) -> None:
    (folder / "numbers" / "customers").mkdir()


def move_into_place(folder: Path) -> None:
    shutil.rmtree(folder.with_name("new"), ignore_errors=True)
    (folder.with_name("new") / "customers").mkdir(parents=True)
    folder.with_name("new").rename(folder / "numbers" / "new")


@pytest.mark.parametrize("add", [make_anew, move_into_place])
async def test_a_change_in_a_folder_that_was_added_is_seen(
    watch: Watch, folder: Path, add: Callable[[Path], None]
) -> None:
    add(folder)
    await watch.sees_a_change()
    await watch.is_quiet()
    (added,) = (folder / "numbers").rglob("customers")
    (added / "main.yaml").write_text(NUMBER)
    await watch.sees_a_change()
    await watch.is_quiet()
    with (added / "main.yaml").open("a") as file:
        file.write("# edited\n")
    await watch.sees_a_change()


async def test_a_folder_that_is_added_while_the_watch_begins_is_watched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = routing_watch._folders

    def just_before(folder: Path) -> list[str]:
        folders = original(folder)
        (folder / "numbers" / "customers").mkdir(exist_ok=True)
        return folders

    monkeypatch.setattr(routing_watch, "_folders", just_before)
    looks = passes(folder)
    watch = Watch(looks)
    await watch.sees_a_change()
    await watch.is_quiet()
    (folder / "numbers" / "customers" / "main.yaml").write_text(NUMBER)
    await watch.sees_a_change()
    await looks.aclose()


async def test_a_symbolic_link_may_be_swapped(folder: Path) -> None:
    good_folder(folder.with_name("second"))
    link = folder.with_name("current")
    link.symlink_to(folder)
    looks = passes(link)
    watch = Watch(looks)
    for name in ("second", "routing"):
        await watch.sees_a_change()
        await watch.is_quiet()
        draft = folder.with_name("draft")
        draft.symlink_to(name)
        os.rename(draft, link)
        await watch.sees_a_change()
        await watch.is_quiet()
        edit(folder.with_name(name))
    await watch.sees_a_change()
    await looks.aclose()


async def test_a_folder_may_be_missing_for_a_while(watch: Watch, folder: Path) -> None:
    away = folder.with_name("away")
    with capture_logs() as logs:
        os.rename(folder, away)
        async with asyncio.timeout(SECONDS):
            while not logs:
                await anext(watch.looks)
        assert not await anext(watch.looks)
        os.rename(away, folder)
        await watch.sees_a_change()
    assert [entry["event"] for entry in logs] == ["routing_folder_missing"]
    edit(folder)
    await watch.sees_a_change()


async def test_where_the_machine_has_no_watches_left_the_folder_is_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none_left(*_: object, **__: object) -> AsyncGenerator[set[object]]:
        raise OSError("OS file watch limit reached")
        yield set()

    monkeypatch.setattr("watchfiles.awatch", none_left)
    looks = passes(folder)
    with capture_logs() as logs:
        assert await anext(looks)
        assert not await anext(looks)
        rename(folder)
        assert await anext(looks)
    assert [entry["event"] for entry in logs] == ["routing_folder_not_watched"]
    await looks.aclose()


@pytest.fixture
async def switched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Queue[bool]]:
    """An entry for each switch of the link `current`, in a folder of its own."""
    monkeypatch.setattr(routing_watch, "AGAIN_SECONDS", 0.01)
    etc = folder.with_name("etc")
    etc.mkdir()
    (etc / "current").symlink_to(folder)
    seen = asyncio.Queue[bool]()

    async def collect() -> None:
        async with aclosing(switches(etc / "current")) as switched:
            async for it in switched:
                seen.put_nowait(it)

    collecting = asyncio.create_task(collect())
    yield seen
    collecting.cancel()
    await asyncio.wait([collecting])


async def until_seen(switched: asyncio.Queue[bool], act: Callable[[], object]) -> bool:
    """Act until it is seen: the watch may not have begun."""
    async with asyncio.timeout(SECONDS):
        while True:
            act()
            with suppress(TimeoutError):
                return await asyncio.wait_for(switched.get(), 0.05)


def switch(etc: Path, name: str = "current") -> None:
    (etc / "draft").symlink_to(etc.with_name("routing"))
    (etc / "draft").rename(etc / name)


async def test_a_link_that_is_switched_is_seen_without_a_comparison(
    switched: asyncio.Queue[bool], folder: Path
) -> None:
    etc = folder.with_name("etc")
    assert await until_seen(switched, lambda: switch(etc)) is False, "the store compares where it leads"
    switch(etc, "other")
    switch(etc)
    async with asyncio.timeout(SECONDS):
        await switched.get()
    assert switched.empty(), "another name is nothing"


async def test_a_link_is_seen_again_when_the_folder_in_which_it_is_was_replaced(
    switched: asyncio.Queue[bool], folder: Path
) -> None:
    etc = folder.with_name("etc")
    await until_seen(switched, lambda: switch(etc))
    shutil.rmtree(etc)
    etc.mkdir()
    await until_seen(switched, lambda: switch(etc))


async def test_looks_for_a_switch_and_for_a_change_are_one_at_a_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = most = 0

    async def often(folder: Path) -> AsyncGenerator[bool]:
        for _ in range(3):
            yield False

    async def look(_: bool) -> None:
        nonlocal looking, most
        looking += 1
        most = max(most, looking)
        await asyncio.sleep(0)  # the other one may run now
        looking -= 1

    monkeypatch.setattr(routing_watch, "passes", often)
    monkeypatch.setattr(routing_watch, "switches", often)
    await follow(folder, look)
    assert most == 1
