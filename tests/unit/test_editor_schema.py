"""The JSON Schemas for editors: every sample is right, and what a single file shows to be wrong is wrong.

Editors read YAML 1.2, where 20 and +3221112233 are numbers; callengine reads text. Both have to be right.
"""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

import config
from cli.commands.schema import FILES, command
from config.editor_schema import KINDS, SHIPPED, as_text, editor_schema
from config.yaml_text import UnreadableError, read
from tests.unit.test_wrong_folders import CASES, read_case

SAMPLES = sorted((Path(config.__file__).parent / "samples").rglob("*.yaml"))

UNSEEN = Path(__file__).parent / "wrong" / "unseen-by-editors.txt"
NOT_SEEN = [line.split()[0] for line in UNSEEN.read_text("utf-8").splitlines() if not line.startswith("#")]


class EditorsLoader(yaml.SafeLoader):
    """YAML 1.2's core schema, as editors read it: no sexagesimal numbers, no dates, no `off`."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - as in the base class


for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN"),
):
    EditorsLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first)
    )
EditorsLoader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))


def texted(value: Any) -> Any:
    """The keys of a mapping as text: JSON has no others."""
    match value:
        case dict():
            return {str(key): texted(entry) for key, entry in value.items()}
        case list():
            return [texted(entry) for entry in value]
    return value


def complaints(kind: str, text: str) -> list[str]:
    """What an editor marks in this text."""
    try:
        value = texted(yaml.load(text, EditorsLoader))  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        return [str(error)]
    return [error.message for error in validator(kind).iter_errors(value)]


def validator(kind: str) -> Any:
    return jsonschema.Draft7Validator(json.loads((SHIPPED / f"{kind}.json").read_text("utf-8")))


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_schema_is_what_the_models_say(kind: str) -> None:
    shipped = (SHIPPED / f"{kind}.json").read_text("utf-8")
    assert as_text(editor_schema(kind)) == shipped, "run `make manual`"
    jsonschema.Draft7Validator.check_schema(json.loads(shipped))
    assert CliRunner().invoke(command, [kind]).output == shipped


def test_the_command_knows_every_kind() -> None:
    assert set(FILES) == set(KINDS)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_a_sample_is_right_for_an_editor(sample: Path) -> None:
    (kind,) = [part for part in sample.parts if part in KINDS]
    text = sample.read_text("utf-8")
    assert complaints(kind, text) == []
    assert list(validator(kind).iter_errors(read(text.encode()).value)) == []


@pytest.mark.parametrize("case", [it for it in CASES if it.stem not in NOT_SEEN], ids=lambda it: it.stem)
def test_an_editor_marks_a_wrong_file(case: Path) -> None:
    files, _ = read_case(case)
    marked = [
        what
        for name, text in files.items()
        for kind in KINDS
        if name.startswith(f"{kind}/")
        for what in complaints(kind, text)
    ]
    assert marked != [], f"if one file cannot show it, add it to {UNSEEN}"


@pytest.mark.parametrize("name", NOT_SEEN)
def test_what_an_editor_does_not_see_is_listed_truly(name: str) -> None:
    """A case that the schema came to recognise is removed from the list."""
    (case,) = [it for it in CASES if it.stem == name]
    files, _ = read_case(case)
    for file, text in files.items():
        for kind in KINDS:
            if file.startswith(f"{kind}/") and file.endswith(".yaml"):
                assert complaints(kind, text) == []


@pytest.mark.parametrize(
    "text",
    ["[rings: +3221112233]", "[{ring: +3221112233, wait: 3}]", "[use: {name: x, route: []}]", "[ring]", "[]"],
)
def test_a_step_is_one_key_that_names_it(text: str) -> None:
    assert complaints("routes", "route: [ring: +3221112233]\n") == []
    assert complaints("routes", f"route: {text}\n") != []


def test_an_editor_says_what_a_setting_is() -> None:
    ring = editor_schema("numbers")["$defs"]["Ring"]["anyOf"][1]["properties"]
    assert ring["busy"]["description"] == "steps when busy, or rejected"
    assert ring["seconds"]["default"] == 25


def test_a_text_that_callengine_cannot_read_is_no_sample() -> None:
    with pytest.raises(UnreadableError):
        read(b"a: &b c")
