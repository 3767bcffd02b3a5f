"""The base of every value in a routing file: a strict model, a checked number, a name."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from dialplan.names import NAME


class Written:
    """How an operator writes a value: keywords of JSON Schema, for editors and docs/routing.md.

    Editors read `+3221112233` and `20` as numbers, callengine reads text: both are allowed there.
    """

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | self.keywords


TEXT = ("string", "number")
LIST = Written(minItems=1)


class Model(BaseModel):
    """A value that an operator may write: unknown settings are errors, and it is immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def noun(cls) -> str:
        """Return the name of the model for errors: "colour is not a setting of a number"."""
        return "this entry"


def check_e164(text: str) -> str:
    """Return the number itself, if it is E.164 (ITU-T E.164: `+`, country code, at most 15 digits)."""
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", text, re.ASCII):
        raise ValueError("write the number as +, country code, number: +3221112233")
    return text


E164 = Annotated[
    str,
    AfterValidator(check_e164),
    Written(
        description="a number such as +3221112233",
        type=TEXT,
        pattern=r"^\+[1-9][0-9]{6,14}$",
        minimum=10**6,
        maximum=10**15 - 1,
    ),
]


def listed(written: Any) -> Any:
    """Return a list, where an entry may be written alone."""
    return written if isinstance(written, list) else [written]


def at_least_one[T](entries: tuple[T, ...]) -> tuple[T, ...]:
    """Return the entries, if there are any. (pydantic's own `min_length` does not count wrong entries.)"""
    if not entries:
        raise ValueError("this list is empty; write at least one entry")
    return entries


def check_label(text: str) -> str:
    """A name for people: one line that may stand in a mail's header."""
    if not text.isprintable() or not 0 < len(text) <= 200:
        raise ValueError("write a name of one line, 1 to 200 characters")
    return text


Label = Annotated[
    str,
    AfterValidator(check_label),
    Written(description="a name of one line", type=TEXT, maxLength=200),
]


def check_name(text: str) -> str:
    """Return the name itself, if it may name a file: without characters special to a shell or to Asterisk."""
    if not re.fullmatch(NAME, text, re.ASCII):
        raise ValueError(
            f"`{text}` is not a name; write at most 64 of a-z, 0-9, - and _, as in  closed-holiday"
        )
    return text


Name = Annotated[
    str, AfterValidator(check_name), Written(description="a name", type=TEXT, pattern=f"^{NAME}$")
]
