"""An engine killed while it writes its journal: what was called durable is there."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from journal import fault
from journal.entries import CallStarted, Entry
from journal.reader import read
from journal.recovery import recover
from journal.segment import segments
from journal.writer import Journal
from tests.lateness import PATIENCE

# Notes calls, ten at a time, and tells each that is durable, as an answer would be sent after it.
ENGINE = """
import asyncio, pathlib, sys
from datetime import UTC, datetime
from dialplan.result import Result
from journal.entries import CallEnded, CallStarted
from journal.writer import Journal

AT = datetime.now(UTC)

def started(call):
    return CallStarted(call, AT, "+3270012345", "acme", False, "here", "a")

async def tell(journal, n):
    await journal.append(started(str(n)))
    print(n, flush=True)
    journal.append(CallEnded(str(n), AT, Result.ABANDONED, "caller", 16))

async def main():
    journal = await Journal.open(pathlib.Path(sys.argv[1]), "here", 4096)
    journal.append(started("long"))
    for tens in range(0, 5000, 10):
        await asyncio.gather(*(tell(journal, tens + n) for n in range(10)))

asyncio.run(main())
"""


def start(folder: Path, failpoint: str = "") -> "subprocess.Popen[str]":
    environment = os.environ | ({fault.VARIABLE: failpoint} if failpoint else {})
    command = [sys.executable, "-c", ENGINE, str(folder)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def started(folder: Path) -> set[str]:
    entries = [record.entry for path in segments(folder) for record in read(path).records]
    return {entry.call for entry in entries if isinstance(entry, CallStarted)}


@pytest.mark.parametrize("nth", [1, 40])
@pytest.mark.parametrize("name", ["journal.before_sync", "journal.after_sync", "journal.after_roll"])
def test_killed_at_a_point_it_keeps_what_it_called_durable(tmp_path: Path, name: str, nth: int) -> None:
    with start(tmp_path, f"{name}:{nth}") as engine:
        told, _ = engine.communicate(timeout=2 * PATIENCE)
    assert engine.returncode == -signal.SIGKILL
    assert set(told.split()) <= started(tmp_path)


def test_killed_at_any_time_it_keeps_what_it_called_durable(tmp_path: Path) -> None:
    for lines in (1, 7, 100, 999):
        with start(tmp_path / str(lines)) as engine:
            assert engine.stdout is not None
            told = {engine.stdout.readline().strip() for _ in range(lines)}
            engine.kill()
            told |= set(engine.stdout.read().split())
        assert len(told) >= lines
        assert told <= started(tmp_path / str(lines))


def test_the_next_engine_has_the_folder_at_once_and_finds_only_open_calls(tmp_path: Path) -> None:
    with start(tmp_path, "journal.before_sync:40") as engine:
        engine.communicate(timeout=2 * PATIENCE)
    expected = {call: found.entries for call, found in recover(tmp_path).open_calls.items()}

    async def found() -> dict[str, list[Entry]]:
        journal = await Journal.open(tmp_path, "here")
        await journal.close()
        return journal.open_calls

    assert "long" in expected
    assert len(expected) <= 21
    assert asyncio.run(found()) == expected
