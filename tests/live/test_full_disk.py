"""Calls while the disk of journal and CEL is full, over restarts of the engine: every record is whole.

On a real small disk where one may be mounted; else every allocation of the journal fails. CALLS=n: so many at
each moment.
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
from tests.live.service import DESTINATION_HZ, House, Service, at_your_service, open_house, until
from tests.live.small_disk import filled, may_mount, read_only, small_disk
from tests.tiers import first_light

SEGMENT = 4 << 20
CALLS = int(os.environ.get("CALLS", "5"))
TROUBLES = {"disk_troubled", "journal_reserve_missing", "cel_headroom_missing", "cel_position_not_saved"}
FULL = {"CALLENGINE_FAILPOINT": "journal.before_allocation:1+:full"}


@pytest.fixture(scope="module", params=first_light("mounted", "injected"))
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
        for how in restarts(disk):
            await again(engine, how)
            await talks(service, number)
            assert readiness(house.engine.health) == 200
            assert house.metric("journal_degraded") == 0
        if disk is not None:
            await until(lambda: house.metric('disk_free_bytes{folder="cel"}') == 0)
    monkeypatch.undo()
    await again(engine, signal.SIGTERM)
    await until(lambda: house.metric("journal_reserve_bytes") > SEGMENT)
    calls = (2 + len(restarts(disk))) * CALLS
    records = await service.records(number, calls)
    assert [whole(record) for record in records] == [True] * calls


def restarts(disk: Path | None) -> list[signal.Signals]:
    """An engine that has no room left by its predecessor cannot be had where nothing can be allocated."""
    return [signal.SIGTERM] if disk is None else [signal.SIGTERM, signal.SIGKILL]


def whole(record: CallRecord) -> bool:
    """Whether it is the record of a talk that the caller ended."""
    return (record.outcome, record.ended_by) == ("answered", "caller") and record.talk.total_seconds() > 0.1


async def test_an_engine_whose_state_cannot_be_written_takes_calls_and_writes_them_down_later(
    own_service: Service,
) -> None:
    service, house = own_service, own_service.house
    service.forgiven |= {"journal_degraded", "journal_segment_poisoned", "routing_version_unkept"}
    (number,) = house.agree([{"ring": service.destination(Answers(0.2))}])
    engine, state = Fragile(house.engine), house.state
    with read_only(state / "journal", state / "routing-versions", state / "prompts"):
        await again(engine, signal.SIGTERM)
        assert (house.metric("journal_degraded"), readiness(house.engine.health)) == (1, 200)
        await talks(service, number)
    await until(lambda: house.metric("journal_degraded") == 0)
    records = await service.records(number, CALLS)
    assert [whole(record) for record in records] == [True] * CALLS
