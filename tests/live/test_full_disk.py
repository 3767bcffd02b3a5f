"""Calls while the disk of journal and CEL is full, over restarts of the engine: every record is whole.

On a real small disk where one may be mounted; else every allocation of the journal fails. CALLS=n: so many at
each of four moments.
"""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

import pytest

from devkit.carrier import Answers
from storage.records import CallRecord
from tests.live.fragile import Fragile
from tests.live.health import readiness
from tests.live.service import (
    DESTINATION_HZ,
    House,
    Service,
    at_your_service,
    open_house,
    until,
)
from tests.live.small_disk import filled, may_mount, small_disk

SEGMENT = 4 << 20
CALLS = int(os.environ.get("CALLS", "5"))
TROUBLES = {"disk_troubled", "journal_reserve_missing", "cel_headroom_missing", "cel_position_not_saved"}
FULL = {"CALLENGINE_FAILPOINT": "journal.before_allocation:1+:raise"}


@pytest.fixture(scope="module", params=["mounted", "injected"])
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Where the small disk is; None where it is injected."""
    folder = tmp_path_factory.mktemp("disk")
    return folder / "small" if request.param == "mounted" and may_mount() else None


@pytest.fixture(scope="module")
def own_house(disk: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service whose journal and CEL lie on that disk."""
    folder = tmp_path_factory.mktemp("house")
    state = folder / "state"
    with ExitStack() as held:
        settings = held.enter_context(pytest.MonkeyPatch.context())
        settings.setenv("CALLENGINE_JOURNAL__SEGMENT_BYTES", str(SEGMENT))
        if disk is not None:
            parts = [state / "journal", state / "asterisk" / "log" / "cel-custom"]
            held.enter_context(small_disk(disk, parts))
        yield held.enter_context(open_house(folder))


@pytest.fixture
async def own_service(own_house: House) -> AsyncIterator[Service]:
    async with at_your_service(own_house) as service:
        service.forgiven |= TROUBLES
        yield service


def fill(disk: Path | None, settings: pytest.MonkeyPatch) -> AbstractContextManager[None]:
    """The disk is full; injected, for engines that are started from now on."""
    if disk is not None:
        return filled(disk)
    for name, value in FULL.items():
        settings.setenv(name, value)
    return nullcontext()


async def talks(service: Service, number: str) -> None:
    for _ in range(CALLS):
        caller = await service.call(number)
        await caller.hears(DESTINATION_HZ)
        await caller.hang_up()
        await caller.wait_ended()


async def again(engine: Fragile, how: signal.Signals) -> None:
    await engine.end(how)
    await engine.start()


async def test_calls_through_a_full_disk_and_restarts_have_whole_records(
    own_service: Service, disk: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, house = own_service, own_service.house
    (number,) = house.agree([{"ring": service.destination(Answers(0.2))}])
    engine = Fragile(house.engine)
    await talks(service, number)
    await until(lambda: house.metric("journal_reserve_bytes") > SEGMENT)
    await until(lambda: house.metric("cel_headroom_bytes") > SEGMENT)
    with fill(disk, monkeypatch):
        await talks(service, number)
        for how in (signal.SIGTERM, signal.SIGKILL):
            await again(engine, how)
            await talks(service, number)
            assert readiness(house.engine.health) == 200
            assert disk is None or house.metric("journal_degraded") == 0
        if disk is not None:
            await until(lambda: house.metric('disk_free_bytes{folder="cel"}') == 0, 10)
    monkeypatch.undo()
    await again(engine, signal.SIGTERM)
    await until(lambda: house.metric("journal_reserve_bytes") > SEGMENT)
    records = await service.records(number, 4 * CALLS)
    assert [whole(record) for record in records] == [True] * 4 * CALLS


def whole(record: CallRecord) -> bool:
    """Whether it is the record of a talk that the caller ended."""
    return (record.outcome, record.ended_by) == ("answered", "caller") and record.talk.total_seconds() > 0.1
