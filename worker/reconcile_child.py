"""Reconciliation as a process of its own. Two hours of a busy node are memory that the worker would keep.

With 34,000 calls the worker grew from 145 to 161 MiB by it.
"""

import asyncio
import pickle
import sys
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
import structlog
from structlog.typing import EventDict

from config.child import ChildError, answer_of
from config.reply import reply
from storage.reconciliation import Reconciliation, Sources, reconcile

CHILD = "worker.reconcile_child"
CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 60.0
LONGEST_SECONDS = 900.0


class NotReconciled(Exception):
    """The calls could not be compared now. Its text says why."""


@dataclass(frozen=True, slots=True)
class Period:
    """What is compared: the calls that began then, in these sources and in the database of that URL."""

    database: str = field(repr=False)
    sources: Sources
    since: datetime
    until: datetime


async def reconcile_apart(period: Period) -> Reconciliation:
    """`reconcile` in a process of its own. Raises NotReconciled."""
    try:
        answer = await answer_of(CHILD, stdin=pickle.dumps(period), seconds=LONGEST_SECONDS)
    except ChildError as error:
        raise NotReconciled(f"the process that compares them {error}") from None
    except OSError as error:
        raise NotReconciled(f"no process can be started: {error}") from None
    if isinstance(answer, Reconciliation):
        return answer
    raise NotReconciled(answer)


async def answer_to(period: Period) -> Reconciliation | str:
    """The answer of the child: what it found, or why it could not."""
    try:
        con = await asyncpg.connect(period.database, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS)
        try:
            return await reconcile(con, period.sources, period.since, period.until)
        finally:
            con.terminate()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"{type(error).__name__}: {error}"


def dropped(_logger: object, _method: str, _event: EventDict) -> EventDict:
    """What cannot be read in CEL and journal was logged by the engine and by the worker."""
    raise structlog.DropEvent


if __name__ == "__main__":
    structlog.configure(processors=[dropped])  # standard output is for the answer alone
    reply(asyncio.run(answer_to(pickle.load(sys.stdin.buffer))))  # noqa: S301 - our own parent's
