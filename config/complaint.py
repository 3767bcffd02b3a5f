"""Errors of the settings in words: the place, what is wrong, and the remedy."""

import os
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import ErrorDetails

PREFIX = "CALLENGINE_"
# Variables with our prefix that are no settings: where the file is, and the failpoint of a fault test.
NOT_SETTINGS = frozenset({"CALLENGINE_SETTINGS", "CALLENGINE_FAILPOINT"})


def complaint(
    error: ErrorDetails, path: Path | None, credentials: Path | None, settings: type[BaseModel]
) -> str:
    """Return one line for one error, without the value, which may be secret."""
    name = ".".join(str(part) for part in error["loc"] if isinstance(part, str))
    place = _place(name, path, credentials)
    if error["type"] != "extra_forbidden":
        return f"{place}: {error['msg'].removeprefix('Value error, ')}"
    section = name.rpartition(".")[0]
    siblings = [known for known in names(settings) if known.rpartition(".")[0] == section]
    return f"{place}: there is no such setting{_nearest(name, siblings)}"


def unknown_variables(settings: type[BaseModel]) -> Iterator[str]:
    """A complaint for each variable that is not a setting: otherwise a misspelt one is ignored silently."""
    known = {variable(name) for name in names(settings)}
    for name in sorted(set(os.environ) - NOT_SETTINGS):
        section = name.split("__")[0].upper()  # pydantic checks the settings in a section
        if name.startswith(PREFIX) and section not in known:
            yield f"environment {name}: there is no such setting{_nearest(name, sorted(known))}"


def names(settings: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted name of every setting and section: node, ari, ari.url ..."""
    for name, field in settings.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from names(field.annotation, f"{prefix}{name}.")


def variable(name: str) -> str:
    """Return the environment variable of a setting: ari.url -> CALLENGINE_ARI__URL."""
    return PREFIX + name.upper().replace(".", "__")


def how_to_set(name: str) -> str:
    """Return the three places where a missing setting may be given."""
    credential = name.replace(".", "__")
    return (
        f"give it as credential {credential}, in the environment as {variable(name)}, or in the settings file"
    )


def _place(name: str, path: Path | None, credentials: Path | None) -> str:
    """Return the place of the value in force: environment before credential before file."""
    if variable(name) in os.environ:
        return f"environment {variable(name)}"
    credential = credentials / name.replace(".", "__") if credentials else None
    return str(credential) if credential and credential.exists() else f"{path or 'settings'}: {name}"


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.8)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"
