"""An engine whose log nobody reads, or cannot be written: calls, messages and recordings are as ever."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from devkit.audio import RATE, tone
from devkit.carrier import Answers
from devkit.parts import Command, ended, is_ready
from tests.lateness import PATIENCE
from tests.live.recordings import of_kind, recorded_ringing
from tests.live.service import DESTINATION_HZ, House, Service, until
from tests.tiers import first_light

BEEP_HZ = 1000
CALLS = 12  # the engine of before stood still after 9


@contextmanager
def unread_pipe() -> Iterator[int]:
    """A pipe that is full already, and that nobody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    yield writing
    os.close(writing)
    os.close(reading)


@contextmanager
def closed_pipe() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@contextmanager
def full_disk() -> Iterator[int]:
    with Path("/dev/full").open("wb", buffering=0) as file:
        yield file.fileno()


@asynccontextmanager
async def engine_logging_to(
    house: House, log: int, **environment: str
) -> AsyncIterator["subprocess.Popen[bytes]"]:
    """In place of the service's engine, one whose standard error is `log`."""
    engine = house.engine
    assert engine.process is not None
    engine.process.terminate()
    await ended(engine.process)
    engine.process = start(engine, log, environment)
    try:
        async with asyncio.timeout(PATIENCE):
            while not await is_ready(engine.health):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.03)
        yield engine.process
    finally:
        engine.process.kill()
        engine.process.wait()
        await engine.start()


def start(engine: Command, log: int, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", "cli", "run"]
    told = {**os.environ, **engine.environment(), **environment}
    return subprocess.Popen(command, env=told, stdout=log, stderr=log, start_new_session=True)


async def leave_a_message(service: Service, number: str) -> None:
    caller = await service.call(number, says=())
    await caller.hears(BEEP_HZ)
    caller.play(tone((700,), 2 * RATE))
    await until(lambda: of_kind(service, number, "vm_start"))
    await asyncio.sleep(1.5)  # of it is said
    await caller.hang_up()


@pytest.mark.parametrize("log", first_light(unread_pipe, closed_pipe, full_disk))
async def test_calls_messages_and_recordings_do_not_notice_the_log(
    service: Service, log: Callable[[], AbstractContextManager[int]]
) -> None:
    house = service.house
    ring, _ = service.ringing(Answers(0.2))
    recorded, _ = recorded_ringing(service, Answers(0.2))
    (message,) = house.agree([{"voicemail": {"greeting": "closed"}}])
    with log() as stderr:
        async with engine_logging_to(house, stderr) as engine:
            for _ in range(CALLS):
                caller = await service.call(ring)
                await caller.hears(DESTINATION_HZ)
                await caller.hang_up()
            await leave_a_message(service, message)
            caller = await service.call(recorded)
            await caller.hears(DESTINATION_HZ)
            await until(lambda: of_kind(service, recorded, "rec_start"))
            await caller.hang_up()
            records = await service.records(ring, CALLS)
            told = [await service.record(number) for number in (message, recorded)]
            await until(service.is_empty)
            began = time.monotonic()
            engine.send_signal(signal.SIGTERM)
            assert await ended(engine) == 0
            assert time.monotonic() - began < 10, "nor does it wait for the log at its end"
    assert [record.outcome for record in records] == ["answered"] * CALLS
    assert [record.outcome for record in told] == ["voicemail", "answered"]
    assert told[0].message_id
    assert told[1].recording_id


async def test_an_engine_whose_journal_thread_dies_ends_loudly_and_the_next_one_has_the_call(
    service: Service, tmp_path: Path
) -> None:
    house, to = service.house, service.destination(Answers(0.2))
    (number,) = house.agree([{"announce": "long"}, {"ring": to}])
    log = tmp_path / "log"
    with log.open("wb") as file:
        broken = {"CALLENGINE_FAILPOINT": "journal.gathered:raise"}
        async with engine_logging_to(house, file.fileno(), **broken) as engine:
            caller = await service.call(number)
            async with asyncio.timeout(PATIENCE):
                status = await ended(engine)
    assert status == 1
    text = log.read_text()
    assert '"journal_thread_died"' in text
    assert '"process_failed"' in text
    await caller.hears(DESTINATION_HZ)
    await caller.hang_up()
    assert (await service.record(number)).outcome == "answered"
