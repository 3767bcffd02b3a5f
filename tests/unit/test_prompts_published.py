"""From an owner's file to the one Asterisk plays: made once, by another process, and only where it can be."""

import hashlib
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from config.prompts import MAX_BYTES, built_in
from config.publish import make, publish
from config.versions import Versions
from dialplan.prompt import Prompt
from dialplan.routing import Routing
from engine.routing_store import RoutingStore
from tests.unit.folders import good_folder, write_prompt
from tests.unit.sounds import babble, heard, rms, tone, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good folder whose `welcome` is an MP3 of 2 seconds."""
    folder = good_folder(tmp_path / "routing")
    (folder / "prompts" / "welcome.wav").unlink()
    write(folder / "prompts" / "welcome.mp3", babble(2), channels=2)
    return folder


def prompts_of(folder: Path) -> dict[str, Prompt]:
    """Those of the folder alone."""
    prompts = load(folder, Policy()).prompts
    return {name: prompt for name, prompt in prompts.items() if name not in built_in()}


def errors_of(wrong: pytest.ExceptionInfo[ConfigErrors], folder: Path) -> list[str]:
    return [str(error).replace(f"{folder}/", "") for error in wrong.value.errors]


@pytest.mark.parametrize("suffix", ["wav", "mp3", "flac", "ogg"])
def test_a_prompt_may_be_a_file_of_each_of_these(folder: Path, suffix: str) -> None:
    write(folder / "prompts" / "nl" / f"closed.{suffix}", babble(3))
    closed = prompts_of(folder)["nl/closed"]
    assert closed.name == "closed"
    assert closed.seconds == pytest.approx(3, abs=0.05)
    assert closed.sha256 == hashlib.sha256(closed.path.read_bytes()).hexdigest()


def test_two_files_of_one_name_are_told(folder: Path) -> None:
    write_prompt(folder / "prompts" / "welcome.wav")
    write(folder / "prompts" / "nl" / "welcome.flac", babble(1))
    with pytest.raises(ConfigErrors) as wrong:
        load(folder, Policy())
    assert errors_of(wrong, folder) == [
        "prompts/welcome.wav: this prompt is also in prompts/welcome.mp3; remove one of the two"
    ]


def test_a_file_too_large_is_told_unread(folder: Path) -> None:
    with (folder / "prompts" / "welcome.mp3").open("r+b") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ConfigErrors) as wrong:
        load(folder, Policy())
    assert errors_of(wrong, folder) == [
        "prompts/welcome.mp3: larger than 20,000,000 bytes; make it an MP3, or shorten it"
    ]


async def test_published_it_is_what_asterisk_plays_under_the_hash_of_its_source(
    folder: Path, tmp_path: Path
) -> None:
    source = prompts_of(folder)["welcome"]
    published = (await publish({"welcome": source}, tmp_path / "published"))["welcome"]
    sound = heard(published.path.read_bytes())
    assert published.path == tmp_path / "published" / f"{source.sha256}-2.wav"
    assert published.path.stat().st_mode & 0o777 == 0o644
    assert rms(sound) == pytest.approx(-20.5, abs=1)
    assert published.seconds == pytest.approx(len(sound) / 8000, abs=0.001)
    assert [file.suffix for file in published.path.parent.iterdir()] == [".wav"]


async def test_those_brought_along_are_published_as_they_are(tmp_path: Path) -> None:
    published = await publish(built_in(), tmp_path)
    assert {name: prompt.path.read_bytes() for name, prompt in published.items()} == {
        name: prompt.path.read_bytes() for name, prompt in built_in().items()
    }


async def test_what_is_there_is_neither_read_nor_written_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = prompts_of(folder)
    first = await publish(prompts, tmp_path / "published")
    shutil.rmtree(folder)
    monkeypatch.setattr("sys.executable", "/bin/false")  # no process could make it
    assert await publish(prompts, tmp_path / "published") == first


def test_a_file_changed_since_it_was_checked_is_not_published(folder: Path, tmp_path: Path) -> None:
    prompts = prompts_of(folder)
    write(folder / "prompts" / "welcome.mp3", babble(1))
    (error,) = make(prompts.values(), tmp_path / "published")
    assert error.file == folder / "prompts" / "welcome.mp3"
    assert error.what == "was changed while it was read; it is read again"
    assert list((tmp_path / "published").iterdir()) == []


async def test_the_one_that_the_process_died_of_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_prompt(folder / "prompts" / "closed.wav")
    prompts = prompts_of(folder)
    assert make([prompts["closed"]], tmp_path / "published") == []
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ConfigErrors) as wrong:
        await publish(prompts, tmp_path / "published")
    assert errors_of(wrong, folder) == [
        "prompts/welcome.mp3: cannot be converted: the process ended with 1; see its log above"
    ]


def test_a_folder_that_cannot_be_written_is_told(folder: Path, tmp_path: Path) -> None:
    prompts = prompts_of(folder)
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / f"{prompts['welcome'].sha256}-2.draft").mkdir()
    (error,) = make(prompts.values(), tmp_path / "published")
    assert error.what.startswith("cannot be published ([Errno 21] Is a directory")


async def test_a_version_is_prepared_with_its_published_prompts_before_it_replaces_another(
    folder: Path, tmp_path: Path
) -> None:
    prepared: list[tuple[str, Path]] = []

    async def prepare(routing: Routing) -> None:
        prepared.append((store.in_force.digest, routing.prompts["welcome"].path))

    versions = Versions(tmp_path / "versions")
    store = RoutingStore(
        folder, versions, tmp_path / "published", Policy(), timedelta(days=90), prepare=prepare
    )
    await store.open()
    assert prepared == []  # Asterisk may not be there yet: it is told when it is
    first = store.in_force.digest
    write(folder / "prompts" / "welcome.mp3", babble(1))
    assert await store.reload()
    assert prepared == [(first, store.in_force.prompts["welcome"].path)]
    assert prepared[0][1].exists()


async def test_a_call_hears_the_converted_prompt_and_goes_on_hearing_it_when_the_next_is_broken(
    folder: Path, tmp_path: Path
) -> None:
    versions = Versions(tmp_path / "versions")
    store = RoutingStore(folder, versions, tmp_path / "published", Policy(), timedelta(days=90))
    await store.open()
    before = store.in_force.prompts["welcome"]
    assert before.path.parent == tmp_path / "published"
    assert (versions.in_force / "prompts" / "welcome.mp3").exists()

    (folder / "prompts" / "welcome.mp3").unlink()
    flac = write(folder / "prompts" / "welcome.flac", tone(440, 10))
    with flac.open("r+b") as file:  # right at both its ends, and broken between
        file.seek(flac.stat().st_size // 2)
        file.write(os.urandom(3000))
    assert not await store.reload()
    assert store.refused
    assert store.in_force.prompts["welcome"] == before

    write(flac, tone(440, 10))
    assert await store.reload()
    assert store.in_force.prompts["welcome"].seconds == 10
