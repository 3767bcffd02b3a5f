"""What the models object to, in the words of somebody who wants to help an operator at 3 a.m."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.errors import At
from dialplan.destination import Destination
from dialplan.expect import Expect
from dialplan.steps import STEPS

# How a setting that is missing is written.
EXAMPLES = {
    "at": "at: 2026-12-25 10:00",
    "name": "name: ACME Dentists",
    "number": "number: +3270012345",
    "open": "open: mon-fri 09:00-17:30",
    "owner": "owner: acme, the name of a file in owners/",
    "prompt": "prompt: welcome, the name of a file in prompts/",
    "reason": "reason: busy",
    "route": "route:  and under it  - ring: +3221112233",
    "timezone": "timezone: Europe/Brussels",
    "to": "to: [+3221112233]",
}
# pydantic's kinds of error (it words them for programmers). `input` is what the operator wrote.
WORDS = {
    "enum": "{input} is not one of its values; write {expected}",
    "literal_error": "{input} is not one of its values; write {expected}",
    "greater_than_equal": "{input} is too low; write {ge} or more",
    "less_than_equal": "{input} is too high; write {le} or less",
    "int_parsing": "{input} is not a whole number; write digits only, without a unit",
    "bool_parsing": "{input} is not one of its values; write true or false",
    "bool_type": "write true or false",
    "int_type": "{input} is not a whole number; write digits only, without a unit",
    "tuple_type": "write a list here: entries in lines that begin with a dash, or in one line as  [a, b]",
    "model_type": "write settings here, as  key: value",
    "model_attributes_type": "write settings here, as  key: value",
    "string_type": "write one word or number here, no list and no settings",
}
MAX_SHOWN = 60


def objections(wrong: ValidationError, model: type[BaseModel]) -> Iterator[tuple[At, str]]:
    """Each thing that is wrong, with its path in the file."""
    for error in wrong.errors(include_url=False):
        yield error["loc"], _worded(error, model)


def _worded(error: ErrorDetails, model: type[BaseModel]) -> str:
    key = str(error["loc"][-1]) if error["loc"] else ""
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "missing":
            return f"is missing; write  {EXAMPLES.get(key, f'{key}: …')}"
        case "extra_forbidden":
            return _unknown(key, error["loc"], model)
        case kind:
            words = {name: str(value).replace("'", "") for name, value in context.items()}
            return WORDS.get(kind, error["msg"]).format(input=_shown(error["input"]), **words)


def _unknown(key: str, at: At, model: type[BaseModel]) -> str:
    """An unknown setting: whose it is not, which there are, which was meant."""
    owner, holder = _holder(at[:-1], model)
    known = [field.alias or name for name, field in holder.model_fields.items() if name != "step"]
    near = get_close_matches(key, known, 1)
    remedy = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known)}"
    return f"{_shown(key)} is not a setting of {owner}; {remedy}"


def _holder(at: At, model: type[BaseModel]) -> tuple[str, type[BaseModel]]:
    """The model whose settings stand at this path, with its name for people."""
    match at:
        case (*_, str(step)) if step in STEPS:
            return step, STEPS[step]
        case (*_, "to", int()):
            return "a destination", Destination
        case ("expect", int()):
            return "expect", Expect
        case _:
            return {"ServiceNumber": "a number", "Owner": "an owner"}.get(model.__name__, "this file"), model


def _shown(found: Any) -> str:
    """What the operator wrote, short enough to read."""
    if not isinstance(found, str):
        return "this"
    return f"`{found}`" if len(found) <= MAX_SHOWN else f"`{found[:MAX_SHOWN]}…`"
