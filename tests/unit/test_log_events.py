"""The events of the log are those of the table in docs/operating.md, each with its levels."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from engine.call_services import EVENTS, LOGGED
from tests.unit.test_architecture import ROOT, SOURCES

LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
SNAKE_CASE = re.compile("[a-z]+(_[a-z]+)*")

type Function = ast.FunctionDef | ast.AsyncFunctionDef
type Events = dict[str, set[str]]


def test_every_event_is_in_the_table_with_its_levels_and_the_reverse() -> None:
    assert logged() == listed()


def test_every_event_is_written_in_snake_case() -> None:
    assert [event for event in logged() if not SNAKE_CASE.fullmatch(event)] == []


def test_every_error_says_what_to_do_in_the_table() -> None:
    severe = {event for event, levels in logged().items() if levels & {"error", "critical"}}
    silent = {event for events, _, remedy in rows() for event in events if not remedy}
    assert severe & silent <= {"routing_folder_missing"}, "its meaning says it"


def listed() -> Events:
    """Events with their levels. With as many levels as events in a row, they are paired."""
    found: Events = {}
    for events, levels, _ in rows():
        paired = len(events) == len(levels)
        found |= {event: {levels[n]} if paired else set(levels) for n, event in enumerate(events)}
    return found


def rows() -> Iterator[tuple[list[str], list[str], str]]:
    """Events, levels and remedy of each row."""
    page = (ROOT / "docs/operating.md").read_text("utf-8")
    section = page.partition("\n## Log events\n")[2].partition("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            events, levels, _, remedy = (cell.strip() for cell in line.strip("|").split(" | "))
            yield re.findall("`([^`]+)`", events), levels.split(", "), remedy


def logged() -> Events:
    """All events of the product packages, and those that journal entries become."""
    found: Events = defaultdict(set)
    for file in SOURCES:
        for event, level in events_in(file):
            found[event].add(level)
    for kind, event in EVENTS.items():
        found[event].add("info" if kind in LOGGED else "debug")
    return dict(found)


def events_in(file: Path) -> Iterator[tuple[str, str]]:
    """Event and level of every call of a logger in this file, and of every line that is written as a dict."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=attr), args=[ast.Constant(value=str(event)), *_]):
                if attr in LEVELS:
                    yield event, level_of(attr)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from forwarded(node, tree)
            case ast.Dict(keys=[ast.Constant(value="event"), ast.Constant(value="level"), *_]):
                match node.values:
                    case [ast.Constant(value=str(event)), ast.Constant(value=str(level)), *_]:
                        yield event, level
            case ast.Call(
                func=ast.Name(id="_line"),
                args=[ast.Constant(value=str(event)), ast.Constant(value=str(level))],
            ):
                yield event, level


def forwarded(function: Function, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Events that are passed to a function, whose parameter is the first argument of a logger in it."""
    names = [parameter.arg for parameter in function.args.args if parameter.arg != "self"]
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(attr=attr), args=[ast.Name(id=name), *_]):
                if attr in LEVELS and name in names:
                    for event in passed_to(function.name, names.index(name), tree):
                        yield event, level_of(attr)


def passed_to(name: str, index: int, tree: ast.Module) -> Iterator[str]:
    """The texts that calls of this function have as argument number `index`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=called) | ast.Name(id=called)) if called == name:
                if len(node.args) > index and isinstance(node.args[index], ast.Constant):
                    yield str(ast.literal_eval(node.args[index]))


def level_of(method: str) -> str:
    return "error" if method == "exception" else method
