"""What the file of a number refers to, by the type of the setting: owner, prompts, destinations.

A number is validated with a `References` as pydantic's context, so that a missing prompt is an error like any
other, reported with the others and at its own place. Without a context nothing is looked up: a routing
version that was accepted once stays valid.
"""

from typing import Annotated, Protocol

from pydantic import AfterValidator, Field, ValidationInfo

from dialplan.model import Name, Written
from dialplan.prompt import CONFIRM


class References(Protocol):
    """What one number may refer to. Each method returns what is wrong with a reference, or None."""

    def owner(self, name: str) -> str | None: ...
    def prompt(self, name: str) -> str | None: ...
    def destination(self, number: str) -> str | None:
        """`number`: or a SIP address."""

    def announcement(self, prompt: str) -> str | None:
        """`prompt`: the built-in announcement of a recording, used unless the owner has another."""

    def built_in(self, prompts: tuple[str, ...]) -> str | None:
        """`prompts`: built-in ones, in the owner's language."""

    def mail(self) -> str | None:
        """Whether a message for the owner can be delivered."""

    def caller_list(self, name: str) -> str | None:
        """A list of callers' numbers, a file in callers/."""

    def calendar(self, name: str) -> str | None:
        """A calendar of events, a file in calendars/."""


class PromptName(str):
    """The name of a prompt. A type of its own, which identifies prompts among the settings of a step."""

    __slots__ = ()


class MusicName(str):
    """The name of a prompt that the caller hears instead of ringing."""

    __slots__ = ()


class WhisperName(str):
    """The name of a prompt that a destination hears, before it talks with the caller."""

    __slots__ = ()


def references(info: ValidationInfo) -> References | None:
    """Return what the number that is validated may refer to; None if that is not looked up."""
    known: References | None = info.context
    return known


def refuse(objection: str | None) -> None:
    if objection is not None:
        raise ValueError(objection)


def check_owner(name: str, info: ValidationInfo) -> str:
    if known := references(info):
        refuse(known.owner(name))
    return name


def check_prompt(name: str, info: ValidationInfo) -> PromptName:
    if known := references(info):
        refuse(known.prompt(name))
    return PromptName(name)


def check_music(name: str, info: ValidationInfo) -> MusicName:
    return MusicName(check_prompt(name, info))


def check_whisper(name: str, info: ValidationInfo) -> WhisperName:
    return WhisperName(check_prompt(name, info))


def check_confirm(confirm: bool, info: ValidationInfo) -> bool:
    if confirm and (known := references(info)):
        refuse(known.built_in((CONFIRM,)))
    return confirm


def check_destination(number: str, info: ValidationInfo) -> str:
    if known := references(info):
        refuse(known.destination(number))
    return number


def check_caller_list(name: str, info: ValidationInfo) -> str:
    if known := references(info):
        refuse(known.caller_list(name))
    return name


def check_calendar(name: str, info: ValidationInfo) -> str:
    if known := references(info):
        refuse(known.calendar(name))
    return name


OwnerName = Annotated[
    Name,
    AfterValidator(check_owner),
    Written(description="the name of a file in owners/"),
    Field(examples=["acme, the name of a file in owners/"]),
]
# The type of every setting that names a prompt.
PromptSetting = Annotated[
    Name,
    AfterValidator(check_prompt),
    Written(description="the name of a file in prompts/"),
    Field(examples=["welcome, the name of a file in prompts/"]),
]
# The same for music that replaces the ringing: `expect: hears` does not count it.
MusicSetting = Annotated[
    Name,
    AfterValidator(check_music),
    Written(description="the name of a file in prompts/"),
    Field(examples=["waiting, the name of a file in prompts/"]),
]
# The same for a prompt that the destination hears.
WhisperSetting = Annotated[
    Name, AfterValidator(check_whisper), Field(examples=["for-sales, the name of a file in prompts/"])
]
# Whether a destination is asked to press 1: the built-in prompt that asks it must be there.
ConfirmSetting = Annotated[bool, AfterValidator(check_confirm)]
# The type of every setting that names a list of callers' numbers.
CallerListSetting = Annotated[
    Name,
    AfterValidator(check_caller_list),
    Written(description="the name of a file in callers/"),
    Field(examples=["nuisance, the name of a file in callers/"]),
]
# The type of every setting that names a calendar of events.
CalendarSetting = Annotated[
    Name,
    AfterValidator(check_calendar),
    Written(description="the name of a file in calendars/"),
    Field(examples=["closing-days, the name of a file in calendars/"]),
]
