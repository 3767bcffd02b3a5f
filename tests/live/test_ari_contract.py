"""Every operation and event of ours, held against what the running Asterisk documents of itself."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_origin

import pytest

from devkit.asterisk import Asterisk, Endpoint
from engine.ari import events
from engine.ari.client import Client
from engine.ari.http import Value
from engine.ari.operations import Resource
from tests.live.ari import ask


class Sent(Exception):
    """What an operation put on the wire."""

    def __init__(self, verb: str, path: str, params: Mapping[str, Value], json: Any) -> None:
        super().__init__(verb, path)
        self.verb, self.path = verb, path
        # The filter is a body by itself; every other body is an object that names what stands in it.
        self.body = {"filter"} if "disallowed" in (json or ()) else set(json or ())
        self.params = {name for name, value in params.items() if value is not None}


class Recorder:
    async def send(self, verb: str, path: str, /, *, json: Any = None, **params: Value) -> Any:
        raise Sent(verb, path, params, json)


@dataclass(frozen=True)
class Operation:
    """One method of ours."""

    resource: type[Resource]
    method: str

    def __str__(self) -> str:
        return f"{self.resource.__name__.lower()}.{self.method}"

    @property
    def parameters(self) -> list[inspect.Parameter]:
        signature = inspect.signature(getattr(self.resource, self.method), eval_str=True)
        return list(signature.parameters.values())[1:]

    async def send(self, *, everything: bool) -> Sent:
        """What is sent with only the arguments one must give, or with every one."""
        given = {p.name: _sample(p) for p in self.parameters if everything or p.default is p.empty}
        with pytest.raises(Sent) as sent:
            await getattr(self.resource(Recorder()), self.method)(**given)
        return sent.value


OPERATIONS = [
    Operation(resource, name)
    for resource in Resource.__subclasses__()
    for name, _ in inspect.getmembers(resource, inspect.iscoroutinefunction)
]


@cache
def documents(endpoint: Endpoint, resource: str) -> Any:
    return ask(endpoint, f"/api-docs/{resource}.json")


def documented(endpoint: Endpoint, operation: Operation) -> tuple[str, Any]:
    """Path and description of the operation whose nickname our method bears."""
    nickname = _camel(operation.method)
    for api in documents(endpoint, operation.resource.__name__.lower())["apis"]:
        for described in api["operations"]:
            if described["nickname"] == nickname:
                return api["path"], described
    pytest.fail(f"Asterisk documents no {nickname}")


def _names(described: Any, *kinds: str, required: bool = False) -> set[str]:
    return {
        parameter["name"]
        for parameter in described.get("parameters", ())
        if parameter["paramType"] in kinds and (parameter.get("required") or not required)
    }


def _camel(snake: str) -> str:
    return re.sub(r"_([a-z])", lambda letter: letter[1].upper(), snake)


def _snake(camel: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda letter: "_" + letter[1].lower(), camel)


def _sample(parameter: inspect.Parameter) -> Any:
    if get_origin(parameter.annotation) is not None and "Sequence" in str(parameter.annotation):
        return ["x"]
    if "Mapping" in str(parameter.annotation):
        return {"X": "x"}
    return next((kind(1) for kind in (bool, int) if kind.__name__ in str(parameter.annotation)), "x")


def test_there_is_something_to_hold_against() -> None:
    assert len(OPERATIONS) >= 23


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_an_operation_is_what_asterisk_documents(asterisk: Asterisk, operation: Operation) -> None:
    path, described = documented(asterisk.endpoint, operation)
    sent = await operation.send(everything=True)
    assert (sent.verb, sent.path) == (described["httpMethod"], path)
    assert sent.params <= _names(described, "path", "query")
    assert _names(described, "path") <= sent.params
    assert sent.body <= _names(described, "body")


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_what_asterisk_requires_is_always_given(asterisk: Asterisk, operation: Operation) -> None:
    _, described = documented(asterisk.endpoint, operation)
    sent = await operation.send(everything=False)
    assert _names(described, "path", "query", required=True) <= sent.params
    assert _names(described, "body", required=True) <= sent.body


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_an_argument_bears_its_swagger_name(asterisk: Asterisk, operation: Operation) -> None:
    _, described = documented(asterisk.endpoint, operation)
    theirs = {_snake(name) for name in _names(described, "path", "query", "body")}
    ours = {parameter.name for parameter in operation.parameters}
    # The filter's one parameter is the whole body; what stands in it is told in the operation's notes.
    assert ours - theirs <= ({"allowed", "disallowed"} if operation.method == "filter" else set())


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_many_values_are_given_where_many_are_taken(asterisk: Asterisk, operation: Operation) -> None:
    _, described = documented(asterisk.endpoint, operation)
    many = {_snake(p["name"]) for p in described.get("parameters", ()) if p.get("allowMultiple")}
    ours = {p.name for p in operation.parameters if _sample(p) == ["x"]} - {"allowed", "disallowed"}
    assert ours <= many


def test_every_event_asterisk_documents_is_understood_or_filtered(asterisk: Asterisk) -> None:
    theirs = set(documents(asterisk.endpoint, "events")["models"]["Event"]["subTypes"])
    understood = set(events.UNDERSTOOD)
    # RESTResponse answers a command given over the link, which carries none.
    assert understood | set(events.UNUSED) == theirs - {"RESTResponse"}
    assert not understood & set(events.UNUSED)


def test_the_client_has_them_all() -> None:
    client = Client("http://127.0.0.1:1/ari", "engine", "unused")
    assert {type(part) for part in vars(client).values()} >= {operation.resource for operation in OPERATIONS}
