"""What every written value is made of: a strict model, a checked number, a name."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, PrivateAttr

NAME = r"[a-z0-9][a-z0-9_-]{0,63}"


class Model(BaseModel):
    """A value an operator may write: unknown settings are errors, and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# Where a step stands in its number's file: ("route", 1, "hours", "closed", 0, "voicemail").
type StepPath = tuple[str | int, ...]


class StepModel(Model):
    """What every step is made of. Its `path` is known once the number that it belongs to is loaded."""

    _path: StepPath = PrivateAttr(default=())

    @property
    def path(self) -> StepPath:
        """Keys and indexes as in the file; empty for a step that belongs to no number."""
        return self._path

    def stands_at(self, path: StepPath) -> None:
        """Say where this step stands. Only its number does, once, when it is loaded."""
        self._path = path


def check_e164(text: str) -> str:
    """The number itself, if it is E.164 (ITU-T E.164: `+`, country code, at most 15 digits)."""
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", text, re.ASCII):
        raise ValueError("write the number as +, country code, number: +3221112233")
    return text


E164 = Annotated[str, AfterValidator(check_e164)]


def at_least_one[T](entries: tuple[T, ...]) -> tuple[T, ...]:
    """The entries, if there are any. (pydantic's own `min_length` does not count entries that are wrong.)"""
    if not entries:
        raise ValueError("this list is empty; write at least one entry")
    return entries


def check_name(text: str) -> str:
    """The name itself, if it may be a file's: nothing that means anything to a shell or to Asterisk."""
    if not re.fullmatch(NAME, text, re.ASCII):
        raise ValueError(
            f"`{text}` is not a name; write at most 64 of a-z, 0-9, - and _, as in  closed-holiday"
        )
    return text


Name = Annotated[str, AfterValidator(check_name)]
