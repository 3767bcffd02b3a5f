"""While the database is away, an attempt is repeated: soon at first, then every 5 s."""

import asyncio
from itertools import islice

import asyncpg
import pytest

from storage.away import AWAY, DATABASE_ERRORS, Backoff, retry

pytestmark = pytest.mark.looptime


def pauses(backoff: Backoff, count: int) -> list[float]:
    return list(islice(iter(backoff.next, None), count))


async def test_a_pause_is_twice_as_long_as_the_one_before_and_at_most_five_seconds() -> None:
    backoff = Backoff()
    assert pauses(backoff, 7) == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    backoff.reset()
    assert pauses(backoff, 2) == [0.2, 0.4]


async def test_an_attempt_is_repeated_until_it_succeeds_and_each_failure_is_reported() -> None:
    errors: list[Exception] = [ConnectionRefusedError(), asyncpg.DeadlockDetectedError(), TimeoutError()]
    reported: list[tuple[Exception, float]] = []
    failing = iter(errors)

    async def attempt() -> str:
        for error in failing:
            raise error
        return "stored"

    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await retry(attempt, lambda error, pause: reported.append((error, pause))) == "stored"
    assert reported == list(zip(errors, [0.2, 0.4, 0.8], strict=True))
    assert loop.time() - began == pytest.approx(1.4)


async def test_what_waiting_does_not_cure_is_raised_at_once() -> None:
    async def attempt() -> None:
        raise asyncpg.UniqueViolationError

    with pytest.raises(asyncpg.UniqueViolationError):
        await retry(attempt, lambda _error, _pause: None)


def test_every_error_that_waiting_cures_is_an_error_of_the_database() -> None:
    assert all(issubclass(error, DATABASE_ERRORS) for error in AWAY)
