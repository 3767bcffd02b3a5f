"""What the worker does again and again does not end in silence."""

import asyncio
from typing import cast

import asyncpg
import pytest
from structlog.testing import capture_logs

from worker.job import LONGEST_PAUSE_SECONDS, keep_doing

pytestmark = pytest.mark.looptime


class Fragile:
    """Work that dies the first time."""

    name = "mark"

    def __init__(self) -> None:
        self.runs = 0

    def wake(self) -> None: ...

    async def run(self, pool: asyncpg.Pool) -> None:
        self.runs += 1
        if self.runs == 1:
            raise ValueError("a file that nobody has thought of")
        await asyncio.get_running_loop().create_future()


async def test_work_that_dies_is_logged_and_begins_again() -> None:
    work = Fragile()
    with capture_logs() as told:
        doing = asyncio.create_task(keep_doing(work, cast("asyncpg.Pool", None)))
        await asyncio.sleep(LONGEST_PAUSE_SECONDS + 1)
        doing.cancel()
        await asyncio.wait({doing})
    assert work.runs == 2
    assert [(line["event"], line["job"]) for line in told] == [("job_died", "mark")]
