"""A route as a tree, from its text: each step with its settings as written, and its branches."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli.outline import inline, is_steps
from config.folder import list_files
from config.yaml_text import read
from dialplan.number import dial_key
from dialplan.step import StepPath
from dialplan.steps import STEPS


@dataclass(frozen=True, slots=True)
class Node:
    """A step. `text`: its settings; `path`: as in the journal; `branches`: their labels and steps."""

    name: str
    text: str
    path: StepPath
    branches: tuple[tuple[str, tuple["Node", ...]], ...]


def tree_of(folder: Path, number: str) -> tuple[Node, ...]:
    """Return the route of a number of a folder that has no error. Raises ClickException."""
    digits = dial_key(number)
    for file in list_files(folder).numbers:
        data = file.read_bytes()
        if digits.encode() not in data:
            continue
        value = read(data).value
        if dial_key(value["number"]) == digits:
            return tuple(nodes(value["route"], ("route",)))
    raise click.ClickException(f"{number} is not a number of {folder}; a call to it is answered 404")


def nodes(steps: list[dict[str, Any]], at: StepPath) -> Iterator[Node]:
    """The steps of a list, in order."""
    for place, step in enumerate(steps):
        ((name, written),) = step.items()
        path = (*at, place, name)
        alone = STEPS[name].alone
        settings = written if _has_names(name, written) else {alone: written}
        branches: list[tuple[str, tuple[Node, ...]]] = []
        plain: list[str] = []
        for key, value in settings.items():
            if found := list(_branches(key, value, (*path, key))):
                branches += found
                others = [it for it in value if not _has_branch(it)] if isinstance(value, list) else []
                plain += map(inline, () if is_steps(value) else others)
            else:
                plain.append(inline(value) if key == alone else f"{key} {inline(value)}")
        yield Node(name, ", ".join(plain), path, tuple(branches))


def _has_names(step: str, written: Any) -> bool:
    """Whether this is a mapping of settings, and not the value of the one that may stand alone."""
    names = {field.alias or name for name, field in STEPS[step].model_fields.items()}
    return isinstance(written, dict) and names.issuperset(written)


def _branches(label: str, value: Any, at: StepPath) -> Iterator[tuple[str, tuple[Node, ...]]]:
    """The branches that a setting contains: steps, steps for each key, or entries with steps."""
    if is_steps(value):
        yield label, tuple(nodes(value, at))
    elif isinstance(value, dict):
        for key, entry in value.items():
            if is_steps(entry):
                yield str(key), tuple(nodes(entry, (*at, key)))
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            yield from _of_entry(entry, (*at, place))


def _of_entry(entry: Any, at: StepPath) -> Iterator[tuple[str, tuple[Node, ...]]]:
    if not isinstance(entry, dict):
        return
    plain = ", ".join(f"{key} {inline(value)}" for key, value in entry.items() if not is_steps(value))
    for key, value in entry.items():
        if is_steps(value):
            yield plain, tuple(nodes(value, (*at, key)))


def _has_branch(entry: Any) -> bool:
    return isinstance(entry, dict) and any(map(is_steps, entry.values()))


def lines(steps: tuple[Node, ...], taken: Set[StepPath], depth: int = 0) -> Iterator[str]:
    """The tree as text; `>` stands before the steps of these paths, and before those that they are in."""
    for node in steps:
        is_taken = any(path[: len(node.path)] == node.path for path in taken)
        text = f"{node.name}  {node.text}".strip()
        yield f"{'>' if is_taken else ' '} {'  ' * depth}{text}"
        for label, branch in node.branches:
            yield f"  {'  ' * (depth + 1)}{label}:"
            yield from lines(branch, taken, depth + 2)
