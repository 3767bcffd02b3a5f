"""Every block of docs/operating.md is executed on a booted Debian by tests/system, or has a reason here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.guide import all_blocks

SYSTEM = Path(__file__).parents[1] / "system"
NOT_EXECUTED = {
    ("Backup", "cron", 0): "it runs at night; its commands are executed by themselves",
}
type Key = tuple[str, str, int]


def of_guide() -> list[Key]:
    """Heading, language, and which of the heading's blocks in that language."""
    keys: list[Key] = []
    for block in all_blocks():
        before = sum(key[:2] == (block.heading, block.language) for key in keys)
        keys.append((block.heading, block.language, before))
    return keys


def of_tests() -> set[Key]:
    return {key for file in SYSTEM.glob("*.py") for key in taken(ast.parse(file.read_text("utf-8")))}


def taken(tree: ast.AST) -> Iterator[Key]:
    """The blocks that a file takes: `a, _, c = blocks("Heading")`, or `blocks("Heading")[1]`."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Call() as call, slice=ast.Constant(value=int(nth))) if is_blocks(
                call
            ):
                yield (*asked(call), nth)
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Call() as call) if is_blocks(call):
                for nth, name in enumerate(names):
                    if isinstance(name, ast.Name) and name.id != "_":
                        yield (*asked(call), nth)


def is_blocks(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "blocks"


def asked(call: ast.Call) -> tuple[str, str]:
    heading, *language = [ast.literal_eval(argument) for argument in call.args]
    return heading, *(language or ["sh"])


def test_every_block_is_executed_or_has_a_reason_why_not() -> None:
    assert len(of_guide()) > 20
    assert [key for key in of_guide() if key not in of_tests() and key not in NOT_EXECUTED] == []


def test_no_test_takes_a_block_that_is_not_there_and_no_reason_is_left_over() -> None:
    assert of_tests() - set(of_guide()) == set()
    assert [key for key in NOT_EXECUTED if key not in of_guide() or key in of_tests()] == []


def test_every_fence_has_a_language() -> None:
    """One without would be in no list: neither executed nor named."""
    text = (Path(__file__).parents[2] / "docs/operating.md").read_text("utf-8")
    fences = [line for line in text.splitlines() if line.startswith("```")]
    assert len(fences) == 2 * len(of_guide())
    assert [opening for opening in fences[::2] if opening == "```"] == []


@pytest.mark.parametrize(
    ("source", "nths"),
    [
        ('a, _, c = blocks("Here")', [0, 2]),
        ('a, *_ = blocks("Here")', [0]),
        ('print(blocks("Here")[1].text)', [1]),
        ('(only,) = blocks("Here")', [0]),
        ('all = blocks("Here")', []),
    ],
)
def test_what_a_test_takes_is_seen(source: str, nths: list[int]) -> None:
    assert [nth for _, _, nth in taken(ast.parse(source))] == nths
