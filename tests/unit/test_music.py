"""The classes of music on hold that Asterisk is given, so that callers hear music instead of ringing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import pytest
from structlog.testing import capture_logs

from dialplan.number import Owner
from dialplan.prompt import Prompt
from dialplan.result import Outcome
from dialplan.routing import Routing
from engine.ari.client import Client
from engine.ari.errors import Unavailable
from engine.call_terms import CallTerms
from engine.music import INCLUDED_BY, NAME, RELOADED_BY, MusicClasses, is_included
from tests.unit.fake_dial import Answers, Says
from tests.unit.fake_services import FakeCallServices, attend
from tests.unit.fakes import FakeLine
from tests.unit.routes import service_number

OFFICE, HOME = "+32470111221", "+32470111223"
JAZZ, POP = "a1", "b2"  # SHA-256 of two pieces of music


@pytest.mark.looptime
async def test_a_ring_is_handed_over_with_the_music_that_its_step_names() -> None:
    caller = FakeLine({OFFICE: Says(Outcome.BUSY), HOME: Answers()})
    route: list[Any] = [{"ring": {"to": OFFICE, "music": "waiting"}}, {"ring": HOME}]
    heard = {"waiting": Prompt("waiting", Path("waiting-1.wav"), 60.0, JAZZ)}
    await attend(caller, FakeCallServices(CallTerms(service_number(route), Owner(name="ACME"), heard.get)))
    assert [connect.music for connect in caller.handed_over] == [heard["waiting"], None]


@dataclass
class Asterisk:
    """Reads its file when told; `away`: does not answer."""

    etc: Path
    away: bool = False
    reloaded: list[str] = field(default_factory=list)
    has: Mapping[str, str] = field(default_factory=dict)

    @property
    def asterisk(self) -> Self:
        return self

    async def reload_module(self, module_name: str) -> None:
        if self.away:
            raise Unavailable(0, "asterisk cannot be reached")
        self.reloaded.append(module_name)
        lines = [line for line in (self.etc / NAME).read_text().splitlines() if line.strip("; ")]
        entries = [line.partition("=")[2] for line in lines if line.startswith("entry=")]
        self.has = dict(zip([line[1:-1] for line in lines if line.startswith("[")], entries, strict=True))


@pytest.fixture
def asterisk(tmp_path: Path) -> Asterisk:
    (tmp_path / "prompts").mkdir()
    (tmp_path / INCLUDED_BY).write_text(f"; music\n#tryinclude {NAME}\n")
    return Asterisk(tmp_path)


@pytest.fixture
def music(asterisk: Asterisk) -> MusicClasses:
    return again(asterisk)


def again(asterisk: Asterisk) -> MusicClasses:
    """Those of the engine that comes next."""
    return MusicClasses(asterisk.etc, cast(Client, asterisk))


def published(asterisk: Asterisk, sha256: str) -> Prompt:
    """A prompt whose file Asterisk can play."""
    file = asterisk.etc / "prompts" / f"{sha256}-1.wav"
    file.touch()
    return Prompt("waiting", file, 60.0, sha256)


def routing(asterisk: Asterisk, *music: str) -> Routing:
    """A version with these pieces of music, and a prompt that is none."""
    prompts = {name: published(asterisk, name) for name in (*music, "cc")}
    return Routing({}, {}, prompts, "digest", {}, music=frozenset(music))


def entry(asterisk: Asterisk, sha256: str) -> str:
    return str(asterisk.etc / "prompts" / f"{sha256}-1")


async def test_each_piece_of_music_is_a_class_named_by_its_content(
    music: MusicClasses, asterisk: Asterisk
) -> None:
    await music.publish(routing(asterisk, JAZZ, POP))
    assert asterisk.has == {f"{sha256}-1": entry(asterisk, sha256) for sha256 in (JAZZ, POP)}
    assert asterisk.reloaded == [RELOADED_BY]
    assert music.known == {"a1-1", "b2-1"}


async def test_nothing_is_written_nor_reloaded_where_there_is_no_music(
    music: MusicClasses, asterisk: Asterisk
) -> None:
    (asterisk.etc / INCLUDED_BY).write_text("")
    with capture_logs() as logs:
        await music.publish(routing(asterisk))
    assert (asterisk.reloaded, logs) == ([], [])
    assert not (asterisk.etc / NAME).exists()


async def test_music_that_asterisk_has_already_is_not_told_again(
    music: MusicClasses, asterisk: Asterisk
) -> None:
    await music.publish(routing(asterisk, JAZZ))
    await music.publish(routing(asterisk, JAZZ))
    assert asterisk.reloaded == [RELOADED_BY]


async def test_an_engine_that_starts_has_asterisk_read_the_file_before_it_relies_on_it(
    music: MusicClasses, asterisk: Asterisk
) -> None:
    await music.publish(routing(asterisk, JAZZ))
    after = again(asterisk)
    assert after.known == set()
    await after.publish(routing(asterisk, JAZZ))
    assert after.known == {"a1-1"}
    assert asterisk.reloaded == [RELOADED_BY, RELOADED_BY]


async def test_the_music_of_older_versions_stays_while_its_file_does(
    music: MusicClasses, asterisk: Asterisk
) -> None:
    old = routing(asterisk, JAZZ)
    await music.publish(old)
    await music.publish(routing(asterisk, POP))
    assert music.known == set(asterisk.has) == {"a1-1", "b2-1"}
    old.prompts[JAZZ].path.unlink()
    await music.publish(routing(asterisk))
    assert music.known == set(asterisk.has) == {"b2-1"}
    published(asterisk, POP).path.unlink()
    await music.publish(routing(asterisk))
    assert music.known == set(asterisk.has) == set()


async def test_music_that_asterisk_could_not_be_told_is_not_relied_on_until_it_was(
    music: MusicClasses, asterisk: Asterisk
) -> None:
    await music.publish(routing(asterisk, JAZZ))
    asterisk.away = True
    with capture_logs() as logs:
        await music.publish(routing(asterisk, POP))
    assert [(entry["event"], entry["error"]) for entry in logs] == [
        ("music_not_published", "asterisk cannot be reached")
    ]
    assert music.known == {"a1-1"}
    asterisk.away = False
    await music.publish(routing(asterisk, POP))
    assert music.known == {"a1-1", "b2-1"}


async def test_a_file_that_cannot_be_written_is_told_and_nothing_is_raised(
    music: MusicClasses, asterisk: Asterisk
) -> None:
    (asterisk.etc / NAME).with_suffix(".draft").mkdir()
    with capture_logs() as logs:
        await music.publish(routing(asterisk, JAZZ))
    assert [entry["event"] for entry in logs] == ["music_not_published"]
    assert (music.known, asterisk.reloaded) == (set(), [])


async def test_a_damaged_file_is_written_anew(music: MusicClasses, asterisk: Asterisk) -> None:
    (asterisk.etc / NAME).write_bytes(b"[\xff\x00")
    await music.publish(routing(asterisk, JAZZ))
    assert music.known == set(asterisk.has) == {"a1-1"}


async def test_where_asterisk_would_not_read_the_file_the_remedy_is_told(
    music: MusicClasses, asterisk: Asterisk
) -> None:
    (asterisk.etc / INCLUDED_BY).write_text("; #tryinclude music.conf\n[default]\nmode=files\n")
    with capture_logs() as logs:
        await music.publish(routing(asterisk, JAZZ))
    assert logs[0]["error"] == "musiconhold.conf does not include it; add there  #tryinclude music.conf"
    assert (music.known, asterisk.reloaded) == (set(), [])


async def test_without_a_folder_of_asterisks_that_is_told_where_there_is_music(asterisk: Asterisk) -> None:
    music = MusicClasses(None, cast(Client, asterisk))
    with capture_logs() as logs:
        await music.publish(routing(asterisk))
        await music.publish(routing(asterisk, JAZZ))
    assert [entry["error"] for entry in logs] == ["asterisk.etc_dir is not set"]
    assert music.known == set()


@pytest.mark.parametrize(
    ("line", "included"),
    [
        ("#tryinclude music.conf", True),
        ("#include music.conf", True),
        ('  #tryinclude "music.conf"', True),
        ("#tryinclude /etc/asterisk/music.conf", True),
        (";#tryinclude music.conf", False),
        ("#tryinclude mymusic.conf", False),
        ("#tryinclude other.conf", False),
        ("music.conf", False),
    ],
)
def test_whether_asterisk_reads_it_is_a_line_of_musiconhold_conf(
    tmp_path: Path, line: str, included: bool
) -> None:
    (tmp_path / INCLUDED_BY).write_text(f"[general]\n{line}\n")
    assert is_included(tmp_path / NAME) is included


def test_where_asterisks_own_configuration_lies_elsewhere_it_is_believed(tmp_path: Path) -> None:
    assert is_included(tmp_path / NAME)
