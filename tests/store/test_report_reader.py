"""The process that reads reports: killed by hostile ones, and there again for the next."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailer.bounce import Report, ReportStatus
from mailer.report_reader import Hostile, NotRead, ReportReader
from tests.store.hostile import BOMB, beating
from tests.store.test_bounces import until
from tests.unit.test_bounce import report

FAILED = Report(ReportStatus.FAILED, "smtp; 550 5.1.1 unknown here")


@pytest.fixture
async def reader() -> AsyncIterator[ReportReader]:
    async with ReportReader(cpu_seconds=0.2, wait_seconds=60) as made:
        yield made


async def process_of(reader: ReportReader) -> int:
    """The id of the process, which has read something then."""
    assert await reader.read(report("failed"), "") == FAILED
    assert reader.process_id
    return reader.process_id


async def test_many_reports_are_read_by_one_process(reader: ReportReader) -> None:
    first = await process_of(reader)
    assert await reader.read(report("delivered"), "") == Report(ReportStatus.ARRIVED)
    assert await reader.read(b"Subject: failure notice\r\n\r\n", "<>") == Report(
        ReportStatus.FAILED, "returned without a status"
    )
    assert await process_of(reader) == first


async def test_a_hostile_report_ends_the_process_and_not_the_reader(reader: ReportReader) -> None:
    first = await process_of(reader)
    async with beating() as heart:
        with pytest.raises(Hostile):
            await reader.read(BOMB, "")
    assert heart.beats >= 5, "the loop went on, each 10 ms, while 0.2 s of CPU were used"
    assert await process_of(reader) != first


async def test_reports_that_wait_behind_a_hostile_one_are_read(reader: ReportReader) -> None:
    async with asyncio.TaskGroup() as group:
        hostile = group.create_task(caught(reader))
        honest = [group.create_task(reader.read(report("failed"), "")) for _ in range(20)]
    assert hostile.result() is Hostile
    assert {task.result() for task in honest} == {FAILED}


async def caught(reader: ReportReader) -> type[Exception] | None:
    try:
        await reader.read(BOMB, "")
    except Exception as error:  # noqa: BLE001 - which one is the question
        return type(error)
    return None


async def test_a_process_that_somebody_else_has_killed_is_no_verdict_on_the_report(
    reader: ReportReader,
) -> None:
    first = await process_of(reader)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(NotRead):
        await reader.read(report("failed"), "")
    assert await process_of(reader) != first


async def test_a_process_that_has_ended_long_ago_is_started_again(reader: ReportReader) -> None:
    first = await process_of(reader)
    os.kill(first, signal.SIGKILL)
    await until(lambda: state_of(first) == "X")
    assert await process_of(reader) != first


async def test_a_process_that_stands_still_is_given_up_and_is_no_verdict_either() -> None:
    async with ReportReader(wait_seconds=10) as reader:
        stopped = await process_of(reader)
        os.kill(stopped, signal.SIGSTOP)
        with pytest.raises(NotRead, match="no answer in 10 s"):
            await reader.read(report("failed"), "")
        with pytest.raises(ProcessLookupError):
            os.kill(stopped, 0)
        assert await process_of(reader) != stopped


async def test_whoever_gives_up_takes_no_answer_from_the_next(reader: ReportReader) -> None:
    await process_of(reader)
    given_up = asyncio.create_task(reader.read(report("delivered"), ""))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await reader.read(report("failed"), "") == FAILED
    assert given_up.cancelled()


async def test_the_process_ends_with_the_reader() -> None:
    async with ReportReader() as reader:
        process = await process_of(reader)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


ORPHAN = """
import asyncio, os, signal
from mailer.report_reader import ReportReader
from tests.store.hostile import BOMB
async def main():
    reader = ReportReader(cpu_seconds=0.5)
    await reader.read(b"", "")
    reading = asyncio.create_task(reader.read(BOMB, ""))
    await asyncio.sleep(0.1)
    print(reader.process_id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_a_hostile_report_is_ended_when_no_worker_is_left_to_end_it() -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ORPHAN), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await parent.communicate()
    assert parent.returncode == -signal.SIGKILL
    await until(lambda: state_of(int(out)) in "ZX")


def state_of(process: int) -> str:
    """A letter, as ps shows it; X when there is no such process."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


async def test_without_a_process_there_is_no_verdict() -> None:
    async with ReportReader(child="mailer.absent") as reader:
        with pytest.raises(NotRead, match="ended with 1"):
            await reader.read(report("failed"), "")
