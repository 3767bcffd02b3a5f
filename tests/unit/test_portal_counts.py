"""The count of the last 30 days: one at a time, and no visit waits for it while an earlier one is usable."""

import asyncio

import pytest

from portal.overview import FRESH_SECONDS, USABLE_SECONDS, Recent
from storage.owned.statistics import Statistics

KEY = ("acme", "Europe/Brussels")


class Counts:
    """A count that takes a second, and says which one it is."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> Statistics:
        self.times += 1
        nth = self.times
        await asyncio.sleep(1)
        return Statistics(outcomes={"answered": nth})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("portal.overview.monotonic", lambda: now[0])
    return now


async def test_visits_at_once_are_one_count(looptime: object, clock: list[float]) -> None:
    recent, counts = Recent(), Counts()
    found = await asyncio.gather(*(recent.of(KEY, counts) for _ in range(50)))
    assert {one.total for one in found} == {1}
    assert counts.times == 1
    clock[0] = FRESH_SECONDS - 1
    assert (await recent.of(KEY, counts)).total == 1
    assert (await recent.of(("bakery", "UTC"), counts)).total == 2


async def test_an_earlier_count_is_shown_while_the_next_one_runs(
    looptime: object, clock: list[float]
) -> None:
    recent, counts = Recent(), Counts()
    await recent.of(KEY, counts)
    clock[0] = FRESH_SECONDS + 1
    assert [(await recent.of(KEY, counts)).total for _ in range(3)] == [1, 1, 1]
    await asyncio.sleep(2)
    assert (counts.times, (await recent.of(KEY, counts)).total) == (2, 2)
    clock[0] += USABLE_SECONDS
    assert (await recent.of(KEY, counts)).total == 3


async def test_a_count_that_fails_is_repeated_at_the_next_visit(looptime: object, clock: list[float]) -> None:
    async def fails() -> Statistics:
        raise OSError

    recent = Recent()
    with pytest.raises(OSError):  # noqa: PT011 - it has no words
        await recent.of(KEY, fails)
    assert (await recent.of(KEY, Counts())).total == 1
