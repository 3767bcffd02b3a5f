"""The routing folder as a whole: what is read, what is refused, and that no call waits for it."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from config.reader import load_in_process
from config.yaml_text import MAX_BYTES
from dialplan.number import ServiceNumber
from tests.tiers import first_light
from tests.unit.folders import NUMBER, OWNER, good_folder, write_prompt

NO_SOUND = "holds no sound, or less than its header says; make it again"


def errors(folder: Path) -> list[str]:
    """What is wrong with the folder, with paths relative to it."""
    with pytest.raises(ConfigErrors) as wrong:
        load(folder, Policy())
    return [str(error).replace(str(folder), "") for error in wrong.value.errors]


def test_a_good_folder_is_found_by_number_owner_and_prompt(tmp_path: Path) -> None:
    routing = load(good_folder(tmp_path), Policy())
    number = routing.number("003270012345")
    assert number is routing.number("+3270012345")
    assert number is not None
    assert routing.owner(number).name == "ACME"
    assert routing.number("+3270012346") is None
    welcome = routing.prompt("welcome", "nl")
    assert welcome is not None
    assert (welcome.name, welcome.seconds) == ("welcome", 0.1)
    assert welcome.path == tmp_path / "prompts" / "welcome.wav"


def test_the_owners_language_wins(tmp_path: Path) -> None:
    write_prompt(good_folder(tmp_path) / "prompts" / "nl" / "welcome.wav", seconds=0.2)
    routing = load(tmp_path, Policy())
    dutch, french = routing.prompt("welcome", "nl"), routing.prompt("welcome", "fr")
    assert dutch is not None
    assert french is not None
    assert (dutch.seconds, french.seconds) == (0.2, 0.1)


def test_music_is_the_prompt_in_every_language_that_an_owner_may_choose(tmp_path: Path) -> None:
    good_folder(tmp_path)
    (tmp_path / "owners" / "zenith.yaml").write_text("name: Zenith\nlanguage: fr\n")
    for index, name in enumerate(("waiting", "nl/waiting", "fr/waiting", "welcome"), start=1):
        write_prompt(tmp_path / "prompts" / f"{name}.wav", seconds=index / 10)
    music = "[{ring: {to: +3221112233, music: waiting, busy: [{ring: {to: +3221112234, music: bye}}]}}]"
    write_prompt(tmp_path / "prompts" / "bye.wav", seconds=0.7)
    for owner, digit in (("acme", 1), ("zenith", 2)):
        text = NUMBER.partition("route:")[0].replace("acme", owner).replace("12345", f"1234{digit}")
        (tmp_path / "numbers" / f"{owner}.yaml").write_text(f"{text}route: {music}\n")
    routing = load(tmp_path, Policy())
    assert {round(prompt.seconds, 1) for prompt in routing.music_prompts} == {0.1, 0.2, 0.3, 0.7}


def test_music_in_another_language_only_is_missing(tmp_path: Path) -> None:
    number = good_folder(tmp_path) / "numbers" / "main.yaml"
    number.write_text(NUMBER.replace("ring: +3221112233", "ring: {to: +3221112233, music: waiting}"))
    write_prompt(tmp_path / "prompts" / "fr" / "waiting.wav")
    assert errors(tmp_path) == [
        "/numbers/main.yaml:6:29: route.ring.music: there is no prompt `waiting`; "
        "put the file at prompts/waiting.wav"
    ]


def test_a_folder_without_music_has_none(tmp_path: Path) -> None:
    assert load(good_folder(tmp_path), Policy()).music_prompts == []


def test_a_prompt_in_another_language_only_is_missing(tmp_path: Path) -> None:
    (good_folder(tmp_path) / "prompts" / "fr").mkdir()
    (tmp_path / "prompts" / "welcome.wav").rename(tmp_path / "prompts" / "fr" / "welcome.wav")
    assert errors(tmp_path) == [
        "/numbers/main.yaml:5:5: route.announce: there is no prompt `welcome`; "
        "put the file at prompts/welcome.wav"
    ]


def test_files_may_lie_in_folders_and_what_begins_with_a_dot_is_passed_over(tmp_path: Path) -> None:
    good_folder(tmp_path)
    (tmp_path / "numbers" / "dentists").mkdir()
    (tmp_path / "numbers" / "main.yaml").rename(tmp_path / "numbers" / "dentists" / "main.yaml")
    (tmp_path / "numbers" / ".main.yaml.swp").write_bytes(b"\0")
    assert len(load(tmp_path, Policy()).numbers) == 1


def test_the_digest_changes_with_every_file_and_with_nothing_else(tmp_path: Path) -> None:
    digests = [load(good_folder(tmp_path), Policy()).digest]
    os.utime(tmp_path / "owners" / "acme.yaml", (0, 0))
    assert load(tmp_path, Policy()).digest == digests[0]
    files = {"owners/acme.yaml": OWNER + "#", "owners/new.yaml": OWNER, "numbers/main.yaml": NUMBER + "#"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        digests.append(load(tmp_path, Policy()).digest)
    write_prompt(tmp_path / "prompts" / "welcome.wav", seconds=0.2)
    digests.append(load(tmp_path, Policy()).digest)
    assert len(set(digests)) == 5


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    told = ": there is no such folder; write the one that holds owners/ and numbers/"
    assert errors(tmp_path / "nowhere") == [told]


def test_missing_parts_are_told(tmp_path: Path) -> None:
    assert errors(tmp_path) == [
        "/numbers: this folder is missing; make it, with a .yaml file for each of the numbers",
        "/owners: this folder is missing; make it, with a .yaml file for each of the owners",
    ]


def test_symbolic_links_are_refused(tmp_path: Path) -> None:
    (good_folder(tmp_path) / "owners" / "link.yaml").symlink_to("acme.yaml")
    (tmp_path / "numbers" / "link").symlink_to(tmp_path)
    assert errors(tmp_path) == [
        "/numbers/link: is a symbolic link; put the file itself here",
        "/owners/link.yaml: is a symbolic link; put the file itself here",
    ]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(good_folder(tmp_path) / "numbers" / "pipe.yaml")
    assert errors(tmp_path) == ["/numbers/pipe.yaml: is not a file; remove it"]


def test_a_file_of_5_mb_is_refused_by_its_size(tmp_path: Path) -> None:
    (good_folder(tmp_path) / "numbers" / "big.yaml").write_bytes(b"x" * 5_000_000)
    began = time.process_time()
    told = f"/numbers/big.yaml: larger than {MAX_BYTES:,} bytes; split it into several files"
    assert errors(tmp_path) == [told]
    assert time.process_time() - began < 1


@pytest.mark.parametrize("sound", [{"rate": 16000}, {"rate": 44100}, {"channels": 2}, {"width": 1}])
def test_a_prompt_of_any_rate_width_and_number_of_channels_has_the_length_of_its_sound(
    tmp_path: Path, sound: dict[str, int]
) -> None:
    write_prompt(good_folder(tmp_path) / "prompts" / "welcome.wav", seconds=0.5, **sound)
    assert load(tmp_path, Policy()).prompts["welcome"].seconds == 0.5


def test_an_empty_prompt_is_told(tmp_path: Path) -> None:
    write_prompt(good_folder(tmp_path) / "prompts" / "closed.wav", seconds=0)
    assert errors(tmp_path) == [f"/prompts/closed.wav: {NO_SOUND}"]


def test_a_prompt_cut_short_is_told(tmp_path: Path) -> None:
    welcome = good_folder(tmp_path) / "prompts" / "welcome.wav"
    welcome.write_bytes(welcome.read_bytes()[:100])
    assert errors(tmp_path) == [f"/prompts/welcome.wav: {NO_SOUND}"]


def test_a_wrong_owner_is_told_once_not_at_each_of_its_numbers(tmp_path: Path) -> None:
    (good_folder(tmp_path) / "owners" / "acme.yaml").write_text("name: [")
    assert len(errors(tmp_path)) == 1


NO_CACHE = Path("/dev/null/cache")  # which nobody can write, not even root


async def test_a_folder_read_in_a_process_of_its_own_says_the_same(tmp_path: Path) -> None:
    here, there = load(good_folder(tmp_path), Policy()), await load_in_process(tmp_path, Policy(), NO_CACHE)
    assert dict(there.numbers) == dict(here.numbers)
    assert (there.owners, there.prompts, there.digest) == (here.owners, here.prompts, here.digest)


async def test_errors_come_back_from_the_process(tmp_path: Path) -> None:
    (good_folder(tmp_path) / "owners" / "acme.yaml").write_text("name: ACME\ncolour: blue\n")
    with pytest.raises(ConfigErrors) as wrong:
        await load_in_process(tmp_path, Policy(), NO_CACHE)
    with pytest.raises(ConfigErrors) as same:
        load(tmp_path, Policy())
    assert wrong.value.errors == same.value.errors


async def test_the_allowed_countries_reach_the_process(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="is in BE; if that is meant"):
        await load_in_process(good_folder(tmp_path), Policy(frozenset({"NL"})), NO_CACHE)


async def test_a_process_that_takes_too_long_is_given_up_and_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def started(*command: Any, **streams: Any) -> asyncio.subprocess.Process:
        children.append(await start(*command, **streams))
        return children[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started)
    with pytest.raises(ConfigErrors, match=r"took more than 0\.001 s"):
        await load_in_process(good_folder(tmp_path), Policy(), NO_CACHE, seconds=0.001)
    assert [child.returncode for child in children] == [-9]


async def test_a_process_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ConfigErrors, match="the process reading it ended with 1"):
        await load_in_process(good_folder(tmp_path), Policy(), NO_CACHE)


# What a number of the size that operators write costs.

REALISTIC = """\
owner: acme
timezone: Europe/Brussels
holidays: BE
route:
  - announce: welcome
  - hours:
      open: [mon-fri 09:00-12:30 13:30-17:30, sat 10:00-13:00]
      closed:
        - announce: welcome
  - ring:
      to: [+32470111222, +3221112233]
      seconds: 20
      busy:
        - hangup: busy
  - announce: welcome
expect:
  - {at: 2026-11-24 10:00, rings: [+32470111222, +3221112233]}
"""


@pytest.fixture(scope="module", params=first_light(1_000, 5_000))
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of so many numbers with four steps each."""
    folder = good_folder(tmp_path_factory.mktemp("many"))
    for n in range(request.param - 1):
        (folder / "numbers" / f"n{n}.yaml").write_text(f"number: +3278{n:06}\n{REALISTIC}")
    return folder


def test_many_numbers_are_read_in_seconds_and_not_in_minutes(many: Path) -> None:
    """5,000 in 1.5 to 3 s of CPU where it was measured; what grows with the square takes minutes."""
    began = time.process_time()
    assert len(load(many, Policy()).numbers) == len([*(many / "numbers").iterdir()])
    assert time.process_time() - began < 15


@pytest.fixture
def small_heap() -> Iterator[None]:
    """What other tests left behind is not looked at by garbage collections."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("small_heap")
async def test_no_call_waits_while_many_numbers_are_read(many: Path) -> None:
    reading = asyncio.create_task(load_in_process(many, Policy(), NO_CACHE))
    held_up = 0.0
    while not reading.done():
        began = time.process_time()  # of both threads, as one may hold up the other
        await asyncio.sleep(0.001)
        held_up = max(held_up, time.process_time() - began)
    routing = await reading
    assert held_up < 0.05
    assert isinstance(routing.number("+3278000001"), ServiceNumber)
