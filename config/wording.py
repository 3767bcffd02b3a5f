"""The errors of the models, worded for an operator at 3 a.m."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.errors import At
from dialplan.model import Model
from dialplan.steps import STEPS

# pydantic's error types, which it words for programmers. `input`: the operator's text.
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
    "dict_type": "write names here, each with its value, as  name: value",
    "string_type": "write one word or number here, no list and no settings",
}
MAX_SHOWN = 60


def objections(errors: ValidationError, model: type[Model]) -> Iterator[tuple[At, str]]:
    """Each error, with its path in the file."""
    for error in errors.errors(include_url=False):
        yield error["loc"], _worded(error, model)


def _worded(error: ErrorDetails, model: type[Model]) -> str:
    key = str(error["loc"][-1]) if error["loc"] else ""
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "missing":
            return f"is missing; write  {key}: {_example(key, error['loc'], model)}"
        case "extra_forbidden":
            return _unknown(key, error["loc"], model)
        case kind:
            words = {name: str(value).replace("'", "") for name, value in context.items()}
            return WORDS.get(kind, error["msg"]).format(input=_shown(error["input"]), **words)


def _example(key: str, at: At, model: type[Model]) -> str:
    """Return how a missing setting may be written: the first example of its field."""
    fields = _holder(at[:-1], model).model_fields.items()
    examples = [field.examples for name, field in fields if key in (name, field.alias)]
    return examples[0][0] if examples and examples[0] else "…"


def _unknown(key: str, at: At, model: type[Model]) -> str:
    """Return the error of an unknown setting: the model, and the nearest setting or all."""
    holder = _holder(at[:-1], model)
    known = [field.alias or name for name, field in holder.model_fields.items() if name != "step"]
    near = get_close_matches(key, known, 1)
    remedy = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known)}"
    return f"{_shown(key)} is not a setting of {holder.noun()}; {remedy}"


def _holder(at: At, model: type[Model]) -> type[Model]:
    """Return the model whose settings are at this path."""
    for part in map(str, at):
        if part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
        else:
            model = STEPS.get(part, model)
    return model


def _model_in(annotation: Any) -> type[Model] | None:
    """Return the model in this type, such as `tuple[Destination, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _shown(written: Any) -> str:
    """Return the operator's text, short enough to read."""
    if not isinstance(written, str):
        return "this"
    return f"`{written}`" if len(written) <= MAX_SHOWN else f"`{written[:MAX_SHOWN]}…`"
