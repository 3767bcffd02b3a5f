"""The OpenAPI 3.1 document, generated from the table of operations and the models."""

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from portal.api.operations import OPERATIONS, PATTERNS, Operation
from portal.api.problem import TYPE
from portal.api.shapes import ProblemShape
from portal.sound import TYPES

REF = "#/components/schemas/{model}"
ERRORS: Mapping[str, str] = {
    "400": "A parameter cannot be understood",
    "401": "No token, or one that does not count",
    "403": "The token has not this scope",
    "404": "There is nothing at this address, or it is not this owner's",
    "429": "Too many requests of this token; Retry-After says when to go on",
    "503": "The database or the object store is away; Retry-After says when to try again",
}
DESCRIPTION = """Calls, messages, recordings, numbers and accesses of one owner. Instants are UTC, durations
seconds. A caller who withheld their number has none here. Fields may be added, but not removed from v1."""


def document(url: str, version: str) -> dict[str, Any]:
    """`url`: that of the portal."""
    models = [operation.answer for operation in OPERATIONS if operation.answer] + [ProblemShape]
    _, schemas = models_json_schema([(model, "serialization") for model in models], ref_template=REF)
    return {
        "openapi": "3.1.0",
        "info": {"title": "callengine", "version": version, "description": DESCRIPTION},
        "servers": [{"url": f"{url}/api/v1"}],
        "security": [{"token": []}],
        "paths": {operation.path: {"get": described(operation)} for operation in OPERATIONS},
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def described(operation: Operation) -> dict[str, Any]:
    """An operation. Its scope is in the description: bearer tokens have no scopes in OpenAPI 3.1."""
    scope = f"Scope: `{operation.scope}`." if operation.scope else "Any token."
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": scope,
        "parameters": [*in_path(operation), *in_query(operation)],
        "responses": {"200": success(operation), **{code: error(what) for code, what in ERRORS.items()}}
        | ({"304": {"description": "Unchanged: If-None-Match has its ETag"}} if operation.answer else {}),
    }


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
