"""docs/routing.md: it is what the models say, and every example on it can be loaded."""

import re
from pathlib import Path
from typing import Any

import pytest

from config.documentation import documentation, is_yaml
from config.manual import manual
from config.yaml_text import read
from dialplan.number import Owner, ServiceNumber
from dialplan.steps import STEPS
from tests.unit.routes import service_number

PAGE = Path(__file__).resolve().parents[2] / "docs" / "routing.md"
TEXT = PAGE.read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.M | re.S)
STEP_EXAMPLES = [it for it in EXAMPLES if re.match(rf"- ({'|'.join(STEPS)}):", it)]
PLACEHOLDER = ["..."]


def test_the_page_is_what_the_models_say() -> None:
    assert manual() == TEXT, "run `make manual`"


def loaded(text: str) -> Any:
    """The example, with a step for each `[...]`, and with the steps of a sub-route."""

    def filled(value: Any) -> Any:
        match value:
            case ["..."]:
                return [{"hangup": "busy"}]
            case list():
                return [filled(entry) for entry in value]
            case {"use": str(name)} | {"use": {"name": str(name)}}:
                return {"use": {"name": name, "route": [{"hangup": "busy"}]}}
            case dict():
                return {key: filled(entry) for key, entry in value.items()}
        return value

    return filled(read(text.encode()).value)


@pytest.mark.parametrize("example", STEP_EXAMPLES, ids=lambda text: text.partition(":")[0])
def test_an_example_of_a_step_can_be_loaded(example: str) -> None:
    steps = loaded(example)
    number = service_number(steps)
    assert [step.step for step in number.route] == [name for (name,) in steps]


def test_every_step_has_an_example() -> None:
    assert {re.match("- ([a-z_]+)", example)[1] for example in STEP_EXAMPLES} == set(STEPS)  # type: ignore[index]


def test_the_examples_of_a_number_and_an_owner_can_be_loaded() -> None:
    texts = [example for example in EXAMPLES if example.startswith(("number:", "name:"))]
    number, owner = texts
    assert ServiceNumber.model_validate(loaded(number))
    assert Owner.model_validate(loaded(owner))


@pytest.mark.parametrize("model", [ServiceNumber, Owner, *STEPS.values()], ids=lambda model: model.__name__)
def test_a_docstring_names_every_setting(model: Any) -> None:
    written = " ".join(documentation(model).parts)
    settings = set(model.model_fields) - {"step"}
    if model in STEPS.values() and model.uses_file:
        settings -= {"route"}
    alone = {getattr(model, "alone", "")}
    assert [it for it in settings - alone if not re.search(rf"\b{it}\b", written)] == []


@pytest.mark.parametrize("step", STEPS.values(), ids=lambda step: str(step.noun()))
def test_a_row_of_the_page_names_each_setting_of_a_step(step: Any) -> None:
    chapter = TEXT.partition(f"### `{step.noun()}`\n")[2].partition("\n### ")[0]
    named = re.findall(r"^\| `(\w+)` \|", chapter, re.M)
    hidden = {"step", "route"} if step.uses_file else {"step"}
    assert named[: len(step.model_fields) - len(hidden)] == [
        it for it in step.model_fields if it not in hidden
    ]


def test_remarks_are_found_in_blocks_and_in_text() -> None:
    remarks = documentation(STEPS["ring"]).remarks
    assert remarks["busy"] == "steps when busy, or rejected"
    assert is_yaml("- ring: 1")
    assert not is_yaml("A branch, once taken, is the rest: of the route.")
