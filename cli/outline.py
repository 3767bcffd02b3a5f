"""The outline of a routing file: a line for each setting and step, indented, in the operator's own words."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from dialplan.steps import STEPS


class Line(NamedTuple):
    """`depth`: its indentation. `name`: of the step or setting. `settings`: as written, "" for one alone."""

    depth: int
    name: str
    settings: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The line for people, without its indentation."""
        settings = ", ".join(f"{name} {value}" if name else value for name, value in self.settings)
        return f"{self.name}: {settings}" if settings else self.name


def outline(written: Any) -> list[Line]:
    """Return the lines of a file, from its value as text (config.yaml_text)."""
    return list(_of_settings(written, 0)) if isinstance(written, dict) else []


def _of_settings(settings: dict[str, Any], depth: int) -> Iterator[Line]:
    for name, value in settings.items():
        if is_steps(value):
            yield Line(depth, name, ())
            yield from _of_steps(value, depth + 1)
        elif isinstance(value, dict) and _has_steps(value):
            yield Line(depth, name, ())
            yield from _of_settings(value, depth + 1)
        elif isinstance(value, list) and any(_has_steps(entry) for entry in value):
            yield from _of_entries(name, value, depth)
        else:
            yield Line(depth, name, (("", inline(value)),))


def _of_steps(steps: list[dict[str, Any]], depth: int) -> Iterator[Line]:
    for step in steps:
        ((name, settings),) = step.items()
        if not isinstance(settings, dict):
            yield from _of_settings({name: settings}, depth)
            continue
        branches = {key: value for key, value in settings.items() if _has_steps(value)}
        plain = tuple((key, inline(value)) for key, value in settings.items() if key not in branches)
        yield Line(depth, name, plain)
        yield from _of_settings(branches, depth + 1)


def _of_entries(name: str, entries: list[Any], depth: int) -> Iterator[Line]:
    """A list of entries with steps of their own, such as the groups of `callers`."""
    yield Line(depth, name, ())
    for place, entry in enumerate(entries, start=1):
        settings = entry if isinstance(entry, dict) else {"": entry}
        branches = {key: value for key, value in settings.items() if _has_steps(value)}
        plain = tuple((key, inline(value)) for key, value in settings.items() if key not in branches)
        yield Line(depth + 1, str(place), plain)
        yield from _of_settings(branches, depth + 2)


def is_steps(value: Any) -> bool:
    """Whether this value is a list of steps."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(step, dict) and len(step) == 1 and next(iter(step)) in STEPS for step in value)
    )


def _has_steps(value: Any) -> bool:
    if is_steps(value):
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_has_steps(entry) for entry in inner)


def inline(value: Any) -> str:
    """Return a value on one line, as it could be written."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {inline(entry)}" for key, entry in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(inline, value)) + "]"
    return str(value)
