"""The OpenAPI 3.1 document, generated from the table of operations and the models."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from portal.api.bodies import JSON, MERGE_PATCH, Body
from portal.api.operations import OPERATIONS, PATTERNS, Operation
from portal.api.problem import TYPE
from portal.api.shapes import ProblemShape
from portal.sound import TYPES

REF = "#/components/schemas/{model}"
ERRORS = {
    "400": "A parameter, or a field of the body, cannot be understood",
    "401": "No token, or one that does not count",
    "403": "The token has not this scope",
    "404": "There is nothing at this address, or it is not this owner's",
    "429": "Too many requests of this token; Retry-After says when to go on",
    "503": "The database or the object store is away; Retry-After says when to try again",
}
OF_CHANGES = {"409": "Its state does not allow this, or it needs a confirmation"}
OF_BODIES = {
    "408": "The body did not arrive in time",
    "413": "The body is too large",
    "415": "The body is not JSON",
}
OF_CONDITIONS = {
    "412": "It has been changed meanwhile: read it again",
    "428": "If-Match is missing",
}
DESCRIPTION = """Calls, messages, recordings, numbers and accesses of one owner. Instants are UTC, durations
seconds. A caller who withheld their number has none here. Fields may be added, but not removed from v1."""


def document(url: str, version: str) -> dict[str, Any]:
    """`url`: that of the portal."""
    answers: list[type[BaseModel]] = [it.answer for it in OPERATIONS if it.answer]
    answers.append(ProblemShape)
    bodies = {operation.body for operation in OPERATIONS if operation.body.model_fields}
    models: list[tuple[type[BaseModel], JsonSchemaMode]]
    models = [(model, "serialization") for model in answers]
    models += [(model, "validation") for model in sorted(bodies, key=lambda it: it.__name__)]
    _, schemas = models_json_schema(models, ref_template=REF)
    for body in bodies:
        for field in schemas["$defs"][body.__name__]["properties"].values():
            field.pop("default", None)  # what a body leaves out has no value
    return {
        "openapi": "3.1.0",
        "info": {"title": "callengine", "version": version, "description": DESCRIPTION},
        "servers": [{"url": f"{url}/api/v1"}],
        "security": [{"token": []}],
        "paths": paths(),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def paths() -> dict[str, dict[str, Any]]:
    """The operations by path and method."""
    found: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        found.setdefault(operation.path, {})[operation.method.lower()] = described(operation)
    return found


def described(operation: Operation) -> dict[str, Any]:
    """An operation. Its scope is in the description: bearer tokens have no scopes in OpenAPI 3.1."""
    scope = f"Scope: `{operation.scope}`." if operation.scope else "Any token."
    reads, writes = operation.method == "GET", bool(operation.body.model_fields)
    errors = ERRORS | ({} if reads else OF_CHANGES) | (OF_BODIES if writes else {})
    errors |= OF_CONDITIONS if operation.conditional else {}
    unchanged = {"304": {"description": "Unchanged: If-None-Match has its ETag"}}
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": scope,
        "parameters": [*in_path(operation), *in_query(operation), *in_head(operation)],
        "responses": {str(int(operation.status)): success(operation)}
        | {code: error(what) for code, what in sorted(errors.items())}
        | (unchanged if operation.answer and reads else {}),
    } | ({"requestBody": request_body(operation.body)} if writes else {})


def request_body(model: type[Body]) -> dict[str, Any]:
    schema = {"schema": {"$ref": REF.format(model=model.__name__)}}
    return {"required": True, "content": dict.fromkeys((JSON, MERGE_PATCH), schema)}


def in_head(operation: Operation) -> list[dict[str, Any]]:
    if not operation.conditional:
        return []
    what = "The ETag of what is changed"
    return [
        {
            "name": "If-Match",
            "in": "header",
            "required": True,
            "description": what,
            "schema": {"type": "string"},
        }
    ]


def in_path(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{PATTERNS[name]}$"},
        }
        for name in operation.parameters
    ]


def in_query(operation: Operation) -> list[dict[str, Any]]:
    schema = operation.query.model_json_schema(ref_template=REF)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": of}
        for name, of in schema.get("properties", {}).items()
    ]


def success(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        content: dict[str, Any] = {media: {} for media in TYPES.values()}
        return {"description": "The audio", "content": content}
    schema = {"$ref": REF.format(model=operation.answer.__name__)}
    headers = {"ETag": {"schema": {"type": "string"}}}
    return {"description": "OK", "headers": headers, "content": {"application/json": {"schema": schema}}}


def error(what: str) -> dict[str, Any]:
    schema = {"$ref": REF.format(model=ProblemShape.__name__)}
    return {"description": what, "content": {TYPE: {"schema": schema}}}
