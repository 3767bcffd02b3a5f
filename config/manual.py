"""docs/routing.md: the manual of routing files, written from the models and their docstrings."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, get_args

from config.documentation import as_yaml, documentation, is_yaml, written_name
from config.editor_schema import schemas_of, settings_of
from dialplan.expect import Expect
from dialplan.model import Model
from dialplan.number import Owner, ServiceNumber
from dialplan.step import StepModel
from dialplan.steps import STEPS
from dialplan.sub_route import SubRoute

INTRODUCTION = """\
# Routing files

<!-- `make manual` writes this page from the models in dialplan/: change their docstrings, not this page. -->

Everything that can be written into a routing folder. `callengine check DIR` reports every error in it, each
with file, line and remedy. Complete folders: [config/samples](../config/samples/README.md).

| in the routing folder | what it is |
|---|---|
| `numbers/**/*.yaml` | a service number each: [below](#a-service-number) |
| `owners/**/*.yaml` | an owner each: [below](#an-owner) |
| `routes/**/*.yaml` | steps that several numbers `use`: [below](#a-sub-route) |
| `prompts/[LANGUAGE/]*.wav` | what callers hear, or .mp3, .flac, .ogg; the owner's language is preferred |
| `callers/**/*.txt` | lists of callers' numbers, one a line, at most 100,000; remarks behind a `#` |
| `calendars/**/*.ics` | calendars of events (iCalendar), such as closing days: the step [hours](#hours) |

A file name is a word of `a-z`, `0-9`, `-` and `_`. Names that begin with a dot are ignored.

A step is a mapping with one key, its name. A setting that is marked "alone too" may be written without its
name, instead of all settings: `announce: welcome` is `announce: {prompt: welcome}`. In the examples, `[...]`
stands for a list of steps.

## In an editor

An editor that reads YAML with JSON Schema, such as VS Code with the extension YAML (redhat.vscode-yaml),
completes settings and marks errors while you type. The schemas are in `config/schemas/`;
`callengine schema numbers` prints one of them. In `.vscode/settings.json` of the routing folder:

```json
{
  "yaml.schemas": {
    "/opt/callengine/config/schemas/numbers.json": "numbers/**/*.yaml",
    "/opt/callengine/config/schemas/owners.json": "owners/**/*.yaml",
    "/opt/callengine/config/schemas/routes.json": "routes/**/*.yaml"
  }
}
```

A schema sees one file; `callengine check` reads the whole folder, and tries out what is expected.
"""


def manual() -> str:
    """Return the whole page."""
    schemas = schemas_of(ServiceNumber, Owner, SubRoute)
    chapters = [
        INTRODUCTION,
        *_chapter("## A service number", ServiceNumber, schemas),
        *_chapter("### `expect`", Expect, schemas),
        *_chapter("## An owner", Owner, schemas),
        *_chapter("## A sub-route", SubRoute, schemas),
        "## Steps\n",
    ]
    for name, step in sorted(STEPS.items()):
        chapters += _chapter(f"### `{name}`", step, schemas)
        for part in _parts_of(step):
            chapters += _chapter(f"#### {name}: {part.noun()}", part, schemas)
    return "\n".join(chapters)


def _chapter(heading: str, model: type[Model], schemas: Mapping[str, Any]) -> Iterator[str]:
    yield f"{heading}\n"
    for part in documentation(model).parts:
        yield f"```yaml\n{as_yaml(part)}\n```\n" if is_yaml(part) else f"{part}\n"
    yield "\n".join(_table(model, schemas)) + "\n"


def _table(model: type[Model], schemas: Mapping[str, Any]) -> Iterator[str]:
    written = schemas[model.__name__]
    properties = written.get("properties") or written["anyOf"][1]["properties"]
    yield "| setting | what may be written | default |"
    yield "|---|---|---|"
    for field in settings_of(model):
        name = written_name(model, field)
        alone = ", alone too" if getattr(model, "alone", None) == field else ""
        what = _cell(_worded(properties[name]))
        yield f"| `{name}` | {what}{alone} | {_default(model, field)} |"


def _worded(schema: Mapping[str, Any]) -> str:
    """Return in words what this schema allows."""
    words = "text"
    match schema:
        case {"description": str(what)}:
            words = what
        case {"step": True}:
            words = "a step"
        case {"enum": [True, *_]}:
            words = "`true` or `false`"
        case {"enum": values}:
            words = _either([f"`{value}`" for value in values])
        case {"const": value}:
            words = f"`{value}`"
        case {"anyOf": choices}:
            words = _either([_worded(choice) for choice in choices])
        case {"type": "array", "items": {"step": True}}:
            words = "a list of steps"
        case {"type": "array", "items": items}:
            words = f"a list of: {_worded(items)}"
        case {"type": ["integer", *_]}:
            words = f"a whole number{_bounds(schema)}"
        case {"type": "object", "additionalProperties": dict(entry)}:
            words = f"for each key {_worded(entry)}"
        case {"type": "object", "propertyNames": {"enum": names}}:
            words = _either([f"`{{{name}: ...}}`" for name in names])
        case {"$ref": name}:
            words = _referred(name.rpartition("/")[2])
    return words


def _referred(name: str) -> str:
    """Return in words what a model or an enumeration is."""
    model = next((it for it in _subclasses(Model) if it.__name__ == name), None)
    if model is not None:
        return model.noun()
    values = next(
        it for it in _subclasses(StrEnum) if it.__name__ == name and it.__module__.startswith("dialplan")
    )
    return _either([f"`{value}`" for value in values])


def _subclasses[T](kind: type[T]) -> Iterator[type[T]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _subclasses(inner)


def _parts_of(model: type[Model]) -> list[type[Model]]:
    """The models within the settings of a model, without steps."""
    found: dict[type[Model], None] = {}
    for field in settings_of(model):
        for part in _models_in(model.model_fields[field].annotation):
            found |= {part: None, **dict.fromkeys(_parts_of(part))}
    return list(found)


def _models_in(annotation: Any) -> Iterator[type[Model]]:
    if (
        isinstance(annotation, type)
        and issubclass(annotation, Model)
        and not issubclass(annotation, StepModel)
    ):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _bounds(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    return "" if least is None else f", {least:,} or more"


def _default(model: type[Model], field: str) -> str:
    info = model.model_fields[field]
    if info.is_required():
        return "required"
    match info.default:
        case bool(value):
            shown = str(value).lower()
        case timedelta() as period:
            shown = f"{period.days} days"
        case str(value) | int(value):
            shown = str(value)
        case _:
            shown = ""
    return shown and f"`{shown}`"


def _either(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
