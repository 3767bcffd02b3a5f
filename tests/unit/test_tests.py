"""The tests themselves: short files, and no wait for a fixed time where a condition could be awaited."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FILES = sorted(TESTS.rglob("*.py"))
MOST_LINES = 300


def test_no_file_of_tests_is_longer_than_300_lines() -> None:
    assert [file.name for file in FILES if len(file.read_text().splitlines()) > MOST_LINES] == []


@pytest.mark.parametrize("folder", ["faults", "live", "store", "system", "unit"])
def test_a_sleep_polls_a_condition_or_says_what_it_is_for(folder: str) -> None:
    """A comment on its line, or on the line before it. A jumping clock (looptime) may be waited for."""
    unexplained = [
        f"{file.relative_to(TESTS)}:{line}"
        for file in FILES
        if file.is_relative_to(TESTS / folder)
        for line in unexplained_sleeps(file)
    ]
    assert unexplained == []


def unexplained_sleeps(file: Path) -> Iterator[int]:
    text = file.read_text()
    if "looptime" in text:
        return
    lines, tree = text.splitlines(), ast.parse(text)
    polls = {id(node) for loop in ast.walk(tree) if is_poll(loop) for node in ast.walk(loop)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.expr)
            and is_sleep(node)
            and id(node) not in polls
            and "#" not in "".join(lines[node.lineno - 2 : node.lineno])
        ):
            yield node.lineno


def is_poll(node: ast.AST) -> bool:
    """Is this a loop that looks at a condition again and again?"""
    ends = (ast.Return, ast.Break)
    return isinstance(node, ast.While) or (
        isinstance(node, ast.For) and any(isinstance(inner, ends) for inner in ast.walk(node))
    )


def is_sleep(node: ast.AST) -> bool:
    """Is this a call of sleep() for more than 0 s?"""
    match node:
        case ast.Call(func=ast.Attribute(attr="sleep"), args=[seconds]):
            return not (isinstance(seconds, ast.Constant) and seconds.value == 0)
    return False
