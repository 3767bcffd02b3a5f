"""The database is away: the errors that say so, and how long to wait before the next attempt."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

SHORTEST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0

# Every error of a database call. InternalClientError is not a PostgresError: "another operation is in
# progress", on a connection that the server is just closing. It ended the worker once (measured).
DATABASE_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

# The errors that waiting cures: the database is unreachable, shutting down or full, another transaction is in
# the way, or the schema's owner has not migrated yet, or has not yet granted the worker's role its rights.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InsufficientPrivilegeError,
)


class Backoff:
    """The pauses after failed attempts: 0.2 s, twice as long each time, at most 5 s."""

    def __init__(self) -> None:
        self._next = SHORTEST_PAUSE_SECONDS

    def next(self) -> float:
        """The seconds to wait now."""
        pause, self._next = self._next, min(2 * self._next, LONGEST_PAUSE_SECONDS)
        return pause

    def reset(self) -> None:
        """An attempt has succeeded."""
        self._next = SHORTEST_PAUSE_SECONDS


async def retry[T](
    attempt: Callable[[], Awaitable[T]],
    report: Callable[[Exception, float], None],
    errors: tuple[type[Exception], ...] = AWAY,
) -> T:
    """Repeat the attempt until it succeeds, with a pause after each failure; return its result.

    `report` is called with each of these errors, and the seconds until the next attempt.
    """
    backoff = Backoff()
    while True:
        try:
            return await attempt()
        except errors as error:
            pause = backoff.next()
            report(error, pause)
        await asyncio.sleep(pause)
