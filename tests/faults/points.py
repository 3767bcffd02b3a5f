"""The engine is killed at each failpoint of its sources: `python -m tests.faults --points`.

Each command that changes a call has two, one before it is sent and one after its reply.
"""

import ast
import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

from devkit.parts import PartTrouble, ended
from journal.fault import VARIABLE
from tests.faults.breaking import finish
from tests.faults.field import Field
from tests.faults.rows import Row, of
from tests.live.agreed import Route, write_numbers
from tests.live.sip import Agent, Call
from tests.store.points import points_in

VISITED: Route = [
    {"wait": 2},
    {"announce": "welcome"},
    {"hangup": "busy"},
]  # what other calls do not bring about
REACHED = 30.0  # s until calls have brought the engine to a point
_others = count()

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "engine/ari/operations.py"
VERBS = {"_post": "POST", "_put": "PUT", "_delete": "DELETE"}
# The others belong to the engine's start and to `callengine quickstart`: no call brings it there.
OF_CALLS = ("/channels/", "/playbacks/", "/recordings/")


def rows() -> list[Row]:
    """One for each point."""
    return [Row(f"the engine: kill -9 at {point}", of(killed_at, point), seconds=0.5) for point in points()]


def points() -> list[str]:
    commands = [f"ari.{when} {command}" for command in commands_of_calls() for when in ("before", "after")]
    return [*commands, *points_in(*(ROOT / "engine").rglob("*.py"))]


def commands_of_calls() -> list[str]:
    """`POST /channels/{channelId}/answer` and the like."""
    return sorted({command for command in commands() if command.partition(" ")[2].startswith(OF_CALLS)})


def commands() -> Iterator[str]:
    for node in ast.walk(ast.parse(OPERATIONS.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VERBS:
            (path,) = (it.value for it in node.args if isinstance(it, ast.Constant))
            yield f"{VERBS[node.func.attr]} {path!s}"


@asynccontextmanager
async def killed_at(field: Field, point: str) -> AsyncIterator[None]:
    """The engine is started anew and kills itself at this point. It is started again at once.

    Raises TimeoutError if calls do not bring it there: a fault that does not happen shows nothing.
    """
    engine = field.part("engine")
    (number,) = await asyncio.to_thread(field.house.agree, VISITED)
    os.environ[VARIABLE] = point
    try:
        with field.absence("engine", "stopped"):
            await finish(engine, signal.SIGTERM)
            with suppress(PartTrouble):  # it may come to the point before it is ready
                await engine.start()
    finally:
        del os.environ[VARIABLE]
    assert engine.process is not None
    await asyncio.to_thread(agree_another, field)
    async with asyncio.timeout(REACHED), asyncio.TaskGroup() as group:
        visiting = group.create_task(visit_again_and_again(field, number))
        await ended(engine.process)
        visiting.cancel()
    with field.absence("engine", "killed"):
        await engine.start()
    yield


async def visit_again_and_again(field: Field, number: str) -> None:
    while True:
        await asyncio.to_thread(visit, field, number)


def visit(field: Field, number: str) -> None:
    """A caller who is refused in the end, or whom nobody answers because the engine has died."""
    with Agent() as telephone, suppress(AssertionError):
        Call(telephone, field.house.run.sip, number).invite().final(6)


def agree_another(field: Field) -> None:
    """A number more, with a fallback of its own: the engine writes files that Asterisk includes."""
    n = next(_others)
    draft = field.house.routing.with_name(f"another{n}")
    write_numbers(draft, {f"+328999{n:04}": {"route": [{"hangup": "busy"}]}})
    draft.rename(field.house.routing / "numbers" / draft.name)
