"""A child that has ended before its parent got to it: on busy cores its parent is late."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from config.child import Child, ChildError

INPUTS = {"none": b"", "more than a pipe holds": bytes(1_000_000)}


@pytest.mark.parametrize("stdin", INPUTS.values(), ids=INPUTS.keys())
def test_it_has_answered_nevertheless(tmp_path: Path, stdin: bytes) -> None:
    answer = late_answer("config.versioning", str(tmp_path), "0" * 64, stdin=stdin)
    assert "0" * 64 in str(answer)  # it says that there is no such version


@pytest.mark.parametrize("stdin", INPUTS.values(), ids=INPUTS.keys())
def test_one_that_failed_is_an_error_of_its_own_kind(stdin: bytes) -> None:
    with pytest.raises(ChildError, match=r"ended with 1; see its log above"):
        late_answer("config.no_such_module", stdin=stdin)


@pytest.mark.parametrize("stdin", INPUTS.values(), ids=INPUTS.keys())
def test_one_that_fails_while_it_is_fed_is_the_same(stdin: bytes) -> None:
    async def answer() -> object:
        child = await Child.started("config.no_such_module")
        return await child.answer(stdin, 20)

    with pytest.raises(ChildError, match="ended with 1"):
        uvloop.run(answer())


def late_answer(module: str, *arguments: str, stdin: bytes) -> object:
    """Return what a child answers to a parent that feeds it after its end."""

    async def answer() -> object:
        child = await Child.started(module, *arguments)
        async with asyncio.timeout(20):
            while child.is_running:  # noqa: ASYNC110 - a child has no event
                await asyncio.sleep(0.01)
        return await child.answer(stdin, 20)

    return uvloop.run(answer())


def test_one_that_ended_well_and_said_nothing_has_failed_too() -> None:
    with pytest.raises(ChildError, match="without an answer"):
        late_answer("keyword", stdin=b"")
