"""JSON Schemas of routing files: an editor completes settings and marks errors while the operator types.

They are derived from the models. What only a folder as a whole shows, such as a missing prompt, and what no
pattern can express, such as overlapping hours, is reported by `callengine check` alone.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from config.documentation import documentation, written_name
from config.trunk import Trunk
from dialplan.model import Model
from dialplan.number import Owner, ServiceNumber
from dialplan.step import StepModel
from dialplan.steps import STEPS
from dialplan.sub_route import SubRoute

# The kinds of files, by the folder that they are in.
KINDS: Mapping[str, type[Model]] = {
    "numbers": ServiceNumber,
    "owners": Owner,
    "routes": SubRoute,
    "trunks": Trunk,
}
SHIPPED = Path(__file__).with_name("schemas")
REFERENCE = re.compile('"#/[$]defs/([A-Za-z]+)"')


def editor_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 7, which editors know) of the files in this folder."""
    model = KINDS[kind]
    schemas = schemas_of(model)
    top = schemas.pop(model.__name__)
    defined = {name: schemas[name] for name in sorted(_needed(top, schemas))}
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"callengine: a file of {kind}/",
    }
    return {**head, **_tidied({**top, "$defs": defined})}


def as_text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def schemas_of(*models: type[Model]) -> dict[str, JsonSchemaValue]:
    """Return the schema of each of these models, of each step, and of what is in them, by class; and `step`.

    Not tidied: `step: true` is any step, `remark` is what the docstring says of a setting.
    """
    generator = _Generator(ref_template="#/$defs/{model}")
    every = (*models, *STEPS.values())
    inputs = [(model.__name__, "validation", model.__pydantic_core_schema__) for model in every]
    schemas, definitions = generator.generate_definitions(inputs)  # type: ignore[arg-type]
    named = {name: schema for (name, _), schema in schemas.items()}
    inline = {name: schema for name, schema in named.items() if "$ref" not in schema}
    return {**{str(name): schema for name, schema in definitions.items()}, **inline, "step": _step()}


def settings_of(model: type[Model]) -> list[str]:
    """The fields that an operator may write: not a step's own name, nor what another file fills in."""
    filled_in: set[str] = set()
    if issubclass(model, StepModel):
        filled_in = {"step", "route"} if model.uses_file else {"step"}
    return [field for field in model.model_fields if field not in filled_in]


def _step() -> JsonSchemaValue:
    """A mapping with one key, the name of the step."""
    named = {
        name: {"$ref": f"#/$defs/{model.__name__}", "description": documentation(model).summary}
        for name, model in sorted(STEPS.items())
    }
    return {
        "type": "object",
        "properties": named,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


class _Generator(GenerateJsonSchema):
    """pydantic's, for what an operator writes: text where callengine reads a number, a setting alone."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return super().int_schema(schema) | {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"}

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return {"enum": [True, False, "true", "false"]}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])  # None is a setting that is not written

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner, default = self.generate_inner(schema["schema"]), schema.get("default")
        return {**inner, "default": default} if isinstance(default, str | int) and default != "" else inner

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        written = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        return _of_model(written, model) if issubclass(model, Model) else written


def _of_model(written: JsonSchemaValue, model: type[Model]) -> JsonSchemaValue:
    names = [written_name(model, field) for field in settings_of(model)]
    remarks = {name: {"remark": what} for name, what in documentation(model).remarks.items()}
    properties = {name: {**written["properties"][name], **remarks.get(name, {})} for name in names}
    required = [name for name in written.get("required", ()) if name in names]
    whole = {
        "type": "object",
        "description": documentation(model).summary,
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }
    alone: str | None = getattr(model, "alone", None)
    return {"anyOf": [properties[alone], whole]} if alone else whole


def _needed(schema: JsonSchemaValue, schemas: Mapping[str, JsonSchemaValue]) -> set[str]:
    """Return the names of all schemas that this one refers to."""
    needed: set[str] = set()
    found = set(REFERENCE.findall(json.dumps(_tidied(schema))))
    while found:
        needed |= found
        found = set(REFERENCE.findall(json.dumps([_tidied(schemas[name]) for name in found]))) - needed
    return needed


def _tidied(value: Any) -> Any:
    """The same as editors want it: a reference for `step: true`, remarks as descriptions, no examples."""
    match value:
        case {"step": True}:
            return {"$ref": "#/$defs/step"}
        case {"$ref": _, "enum": values}:
            return {"enum": values}
        case {"remark": what, **others}:
            return _tidied({**others, "description": what})
        case dict():
            return {k: _tidied(v) for k, v in value.items() if (k, type(v)) not in UNWANTED}
        case list() | tuple():
            return [_tidied(entry) for entry in value]
    return value


# Keywords of pydantic, not settings of that name.
UNWANTED = {("examples", list), ("title", str)}
