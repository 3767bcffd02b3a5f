"""What keeps the engine from taking calls on an Asterisk that will not do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.ari.state import AsteriskInfo, ModuleInfo
from engine.checks import MODULES, Findings, examine, refusals

WELL = Findings("22.10.1+dfsg-1", MODULES, timedelta(milliseconds=3))


def test_a_fit_asterisk_on_a_fit_machine_is_not_refused() -> None:
    assert refusals(WELL) == []


@pytest.mark.parametrize("version", ["22.10.1", "22.11.0", "23.0.0", "22.10.10", "22.10.1+dfsg+~cs6.17"])
def test_a_new_enough_asterisk_is_taken(version: str) -> None:
    assert refusals(replace(WELL, version=version)) == []


@pytest.mark.parametrize("version", ["22.10.0", "22.9.9", "20.99.9", "9.10.1", "GIT-master-abc", ""])
def test_an_asterisk_too_old_or_nameless_is_refused(version: str) -> None:
    (refusal,) = refusals(replace(WELL, version=version))
    assert refusal.startswith(f"Asterisk is {version}; install 22.10.1 or later")


def test_missing_modules_are_named_as_the_lines_to_write() -> None:
    (refusal,) = refusals(replace(WELL, running=MODULES - {"app_dial.so", "func_timeout.so"}))
    assert refusal.endswith("load = app_dial.so, load = func_timeout.so")


@pytest.mark.parametrize(
    ("ahead", "words"), [(2.1, "2.1 s ahead of this machine's"), (-90, "90.0 s behind this machine's")]
)
def test_clocks_that_differ_are_refused(ahead: float, words: str) -> None:
    (refusal,) = refusals(replace(WELL, ahead=timedelta(seconds=ahead)))
    assert words in refusal


def test_everything_wrong_is_said_at_once() -> None:
    wrong = Findings("18.1.0", frozenset(), timedelta(hours=1))
    assert len(refusals(wrong)) == 3


def test_the_configuration_we_ship_loads_every_module_asked_for() -> None:
    shipped = (Path(__file__).parents[2] / "asterisk/etc/modules.conf").read_text()
    assert set(re.findall(r"^load = (\S+)$", shipped, re.MULTILINE)) >= MODULES


@dataclass
class Told:
    """An Asterisk that says what it is told to."""

    clock: datetime

    async def get_info(self) -> AsteriskInfo:
        return AsteriskInfo("22.10.1", self.clock)

    async def list_modules(self) -> Sequence[ModuleInfo]:
        return [ModuleInfo("a.so", running=True), ModuleInfo("b.so", running=False)]

    async def ping(self) -> datetime:
        return self.clock


async def test_only_running_modules_count() -> None:
    found = await examine(Told(datetime.now(UTC) - timedelta(minutes=1)))
    assert found.running == {"a.so"}
    assert abs(found.ahead + timedelta(minutes=1)) < timedelta(seconds=1)
