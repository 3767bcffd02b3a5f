"""What is known of a routing folder: only what changed is read again, and what is right stays right."""

import os
import pickle
import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from config import cache as caches
from config import load as loading
from config import yaml_text
from config.cache import Cache, CacheFile, header
from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from config.yaml_text import Document
from dialplan.routing import Routing
from tests.unit.folders import NUMBER, OWNER, good_folder

SECOND = """\
number: +3270012346
owner: acme
timezone: Europe/Brussels
route:
  - use: evening
  - callers: [{who: {list: nuisance}, block: busy}]
  - ring: +3221112233
"""
EVENING = "route:\n  - announce: welcome\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two numbers; the second uses a sub-route and a list. No file is young."""
    folder = good_folder(tmp_path / "routing")
    for name, text in (
        ("numbers/second.yaml", SECOND),
        ("routes/evening.yaml", EVENING),
        ("callers/nuisance.txt", ""),
    ):
        write(folder / name, text)
    grow_old(folder)
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "cache"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def grow_old(folder: Path) -> None:
    for file in folder.rglob("*"):
        os.utime(file, ns=(0, file.stat().st_mtime_ns - 10 * caches.YOUNG_NS))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []
    original = Cache.read

    def noted(self: Cache, file: Path, most: int = -1) -> tuple[bytes, str]:
        names.append(file.name)
        return original(self, file, most)

    monkeypatch.setattr(Cache, "read", noted)
    return names


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the YAML files that are parsed."""
    sizes: list[int] = []

    def noted(data: bytes) -> Document:
        sizes.append(len(data))
        return yaml_text.read(data)

    monkeypatch.setattr("config.reading.read", noted)
    return sizes


def load_cached(folder: Path, policy: Policy, file: Path) -> Routing:
    return loading.load_cached(folder, policy, CacheFile(file, policy.rules))


def known(folder: Path, file: Path) -> None:
    assert load_cached(folder, Policy(), file).digest == load(folder, Policy()).digest


def test_a_folder_that_did_not_change_is_not_read_again(
    folder: Path, file: Path, read: list[str], parsed: list[int]
) -> None:
    first = load_cached(folder, Policy(), file)
    read.clear()
    parsed.clear()
    again = load_cached(folder, Policy(), file)
    assert read == ["evening.yaml"], "sub-routes are few, and always parsed"
    assert parsed == [len(EVENING)]
    assert (dict(again.numbers), again.owners, again.prompts) == (
        dict(first.numbers),
        first.owners,
        first.prompts,
    )
    assert (again.digest, again.lists, again.fallbacks) == (first.digest, first.lists, first.fallbacks)


def test_only_the_number_that_changed_is_read_and_parsed(
    folder: Path, file: Path, read: list[str], parsed: list[int]
) -> None:
    known(folder, file)
    changed = NUMBER.replace("+3221112233", "+3221112234")
    write(folder / "numbers" / "main.yaml", changed)
    read.clear()
    parsed.clear()
    routing = load_cached(folder, Policy(), file)
    assert sorted(set(read)) == ["evening.yaml", "main.yaml"]
    assert sorted(parsed) == sorted([len(EVENING), len(changed)])
    number = routing.number("+3270012345")
    assert number is not None
    assert [str(to) for to in number.route[1].destinations] == ["+3221112234"]


def test_a_young_file_is_read_again_because_it_may_have_changed_within_a_tick_of_the_clock(
    folder: Path, file: Path, read: list[str]
) -> None:
    write(folder / "owners" / "acme.yaml", OWNER)
    known(folder, file)
    read.clear()
    load_cached(folder, Policy(), file)
    assert "acme.yaml" in read


def test_a_folder_with_another_name_is_known_by_its_contents(
    folder: Path, file: Path, parsed: list[int]
) -> None:
    known(folder, file)
    parsed.clear()
    routing = load_cached(folder.rename(folder.with_name("other")), Policy(), file)
    assert parsed == [len(EVENING)]
    assert routing.prompts["welcome"].path.parent.parent.name == "other"


# What a number needs of other files, and what is wrong when that changes.
CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "its prompt is removed": (
        lambda it: (it / "prompts/welcome.wav").unlink(),
        "there is no prompt `welcome`",
    ),
    "its owner is removed": (
        lambda it: (it / "owners/acme.yaml").rename(it / "owners/other.yaml"),
        "no owner `acme`",
    ),
    "its sub-route is removed": (
        lambda it: (it / "routes/evening.yaml").unlink(),
        "there is no sub-route `evening`",
    ),
    "its sub-route changes": (
        lambda it: write(it / "routes/evening.yaml", "route:\n  - announce: gone\n"),
        "there is no prompt `gone`",
    ),
    "its list is removed": (
        lambda it: (it / "callers/nuisance.txt").unlink(),
        "no list of callers `nuisance`",
    ),
    "its destination becomes a number of ours": (
        lambda it: write(
            it / "numbers/third.yaml",
            NUMBER.replace("+3270012345", "+3221112233").replace("ring: +3221112233", "hangup: busy"),
        ),
        "+3221112233 is a service number of this folder",
    ),
    "another file has its number": (
        lambda it: write(it / "numbers/z.yaml", NUMBER),
        "+3270012345 is also in",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_known_number_is_wrong_when(what: str, folder: Path, file: Path) -> None:
    known(folder, file)
    change, error = CHANGES[what]
    change(folder)
    with pytest.raises(ConfigErrors, match=re.escape(error)) as cached:
        load_cached(folder, Policy(), file)
    with pytest.raises(ConfigErrors) as afresh:
        load(folder, Policy())
    assert cached.value.errors == afresh.value.errors


def test_a_sub_route_that_was_missing_is_in_place_once_it_is_there(folder: Path, file: Path) -> None:
    (folder / "routes/evening.yaml").unlink()
    with pytest.raises(ConfigErrors):
        load_cached(folder, Policy(), file)
    write(folder / "routes/evening.yaml", EVENING)
    number = load_cached(folder, Policy(), file).number("+3270012346")
    assert number is not None
    assert number.route == load(folder, Policy()).numbers["3270012346"].route


def test_what_an_expectation_relies_on_is_tried_again(folder: Path, file: Path) -> None:
    expect = "expect:\n  - {at: 2026-11-24 10:00, from: +32470000000, ends: answered}\n"
    write(folder / "numbers" / "second.yaml", SECOND + expect)
    known(folder, file)
    write(folder / "callers" / "nuisance.txt", "+32470000000\n")
    with pytest.raises(ConfigErrors, match="expected answered, got busy"):
        load_cached(folder, Policy(), file)


def test_other_rules_know_nothing(folder: Path, file: Path) -> None:
    known(folder, file)
    with pytest.raises(ConfigErrors, match=r"\+3221112233 is in BE"):
        load_cached(folder, Policy(frozenset({"NL"})), file)


DAMAGES = ("truncated", "not a pickle", "another software's", "writable by others", "in part of other rules")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_cannot_be_trusted_is_not_used(
    folder: Path, file: Path, damage: str, read: list[str]
) -> None:
    known(folder, file)
    rules = Policy().rules
    match damage:
        case "truncated":
            os.truncate(file, file.stat().st_size // 2)
        case "not a pickle":
            file.write_bytes(header(rules) + b"nothing")
        case "another software's":
            file.write_bytes(b"another\n" + pickle.dumps(caches.Known()))
        case "writable by others":
            file.chmod(0o666)
        case "in part of other rules":
            file.write_bytes(file.read_bytes() + header("NL") + pickle.dumps(caches.Known()))
    read.clear()
    known(folder, file)
    assert "acme.yaml" in read


def test_a_cache_is_read_early_and_again_if_it_has_changed(
    folder: Path, file: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    early = CacheFile(file, Policy().rules)
    early.read_early()
    known(folder, file)
    read.clear()
    loading.load_cached(folder, Policy(), early)
    assert read == ["evening.yaml"], "the file was missing when it was read early"
    early.read_early()
    monkeypatch.setattr(Cache, "of", None)
    loading.load_cached(folder, Policy(), early)


def test_only_what_is_new_is_added_to_the_file(folder: Path, file: Path) -> None:
    known(folder, file)
    before = file.read_bytes()
    known(folder, file)
    assert file.read_bytes() == before, "nothing is new"
    write(folder / "numbers" / "main.yaml", NUMBER.replace("+3221112233", "+3221112234"))
    known(folder, file)
    after = file.read_bytes()
    assert after.startswith(before)
    assert 0 < len(after) - len(before) < len(before)


# The first folder is missing, in the second no name can be removed either: so for root as for everybody.
@pytest.mark.parametrize("file", ["/proc/nowhere/cache", "/dev/null/cache"])
def test_a_cache_that_cannot_be_written_changes_nothing(folder: Path, file: str) -> None:
    known(folder, Path(file))


def test_contents_that_nobody_needs_any_more_are_forgotten(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "SPARE", 0)
    for n in range(10):
        write(folder / "numbers" / "main.yaml", NUMBER.replace("+3221112233", f"+322111223{n}"))
        known(folder, file)
    assert len(Cache.of(file, Policy().rules)._before.numbers) <= 4


def test_libraries_are_known_by_the_names_of_their_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = [f"{name} {metadata.version(name)}" for name in caches.LIBRARIES]
    assert caches._libraries() == versions
    monkeypatch.setattr(caches, "INSTALLED", re.compile("nothing"))
    assert caches._libraries() == versions, "wherever else they may be"
