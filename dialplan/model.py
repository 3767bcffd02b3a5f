"""The base of every value in a routing file: a strict model, a checked number, a name."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from dialplan.names import NAME


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


E164 = Annotated[str, AfterValidator(check_e164)]


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


Label = Annotated[str, AfterValidator(check_label)]


def check_name(text: str) -> str:
    """Return the name itself, if it may name a file: without characters special to a shell or to Asterisk."""
    if not re.fullmatch(NAME, text, re.ASCII):
        raise ValueError(
            f"`{text}` is not a name; write at most 64 of a-z, 0-9, - and _, as in  closed-holiday"
        )
    return text


Name = Annotated[str, AfterValidator(check_name)]
