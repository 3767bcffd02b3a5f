"""The base of every step: its settings, what they refer to, and its part of the walk."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar
from zoneinfo import ZoneInfo

from pydantic import PrivateAttr, ValidationInfo, field_validator

from dialplan.calendar import Calendar
from dialplan.caller import Caller
from dialplan.destination import Destination
from dialplan.event_calendar import EventCalendar
from dialplan.lists import Lists, calendar_key
from dialplan.model import Model
from dialplan.references import PromptName, references, refuse
from dialplan.result import Answer, Choice, Outcome, Verdict

# Where a step is in its number's file: ("route", 1, "hours", "closed", 0, "voicemail").
type StepPath = tuple[str | int, ...]

NO_LISTS: Lists = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a route may depend on, fixed when the call comes in. `now` is aware (UTC).

    `lists`: callers' numbers by the name of the list, calendars by that of the file. `call_id`: the source of
    chance; "" in a rehearsal.
    `switches`: the names of those that are on for this number or its owner. `unreachable`: destinations that
    could not be reached lately, to be left out where there are others.
    """

    now: datetime
    caller: Caller
    zone: ZoneInfo
    calendar: Calendar
    lists: Lists = NO_LISTS
    call_id: str = ""
    switches: Collection[str] = ()
    unreachable: Collection[str] = ()

    def event(self, calendar: str) -> str | None:
        """Return the name of an event of this calendar that lasts now; None if there is none."""
        known = self.lists.get(calendar_key(calendar))
        return known.event(self.now, self.zone) if isinstance(known, EventCalendar) else None


@dataclass(frozen=True, slots=True)
class Turn:
    """A decision of the route: nothing is performed, but `explain` and the journal contain the reason.

    `language`: that of the call from now on, if the caller has chosen one.
    """

    step: str
    why: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Draw:
    """A request for the number of the call at this step, of each `size` calls: the engine counts them."""

    step: str
    path: StepPath
    size: int


class By(StrEnum):
    """By what the engine sorts destinations.

    `idle`: those without a conversation for longest first. `room`: only those that have room for another
    call. `caller`: only the one that talked with this caller last.
    """

    IDLE = "idle"
    ROOM = "room"
    CALLER = "caller"


@dataclass(frozen=True, slots=True)
class Sort(Draw):
    """A request for some of the `size` destinations `to`, in an order: the engine knows where calls are.

    `most`: for `room`, how many calls each may have at once; 0: any number.
    """

    by: By
    to: tuple[str, ...]
    most: tuple[int, ...] = ()

    def answered(self, to: Iterable[str]) -> Choice:
        """Return the choice of these destinations."""
        return Choice(" ".join([ROOM if self.by is By.ROOM else SORTED, *to]))


# How the answers to a `Sort` begin; destinations follow. Those that have room are taken by the answer.
SORTED, ROOM = "to", "room"


def chosen(answer: Answer) -> tuple[str, ...] | None:
    """Return the destinations in the answer to a `Sort`; None if it could not be answered."""
    return tuple(answer.split()[1:]) if isinstance(answer, Choice) else None


def drawn(answer: Answer, size: int) -> int:
    """Return the number of the call, from 0, from the answer to a `Draw`."""
    number = answer.number if isinstance(answer, Choice) else None
    return (number - 1) % size if number else 0


@dataclass(slots=True)
class Case:
    """A rehearsed call: the `outcomes` of its rings in order, then `taken`.

    `nth`: it is the n-th call, from 1, wherever calls are counted. `live`: calls within each limit already.
    `presses`: what the caller enters in each menu, then nothing.
    """

    outcomes: list[Outcome]
    nth: int = 1
    live: int = 0
    presses: list[str] = field(default_factory=list)


# The answers of a step that limits calls.
WITHIN_LIMIT, OVER_LIMIT = Choice("within limit"), Choice("over limit")
WITHIN_OWNERS_LIMIT = Choice("within the owner's limit")

# Values of these types refer to nothing; most settings have one of them.
PLAIN = (str, int, float, bool, type(None))

type Plan = Generator[StepModel | Turn | Draw, Answer, Verdict]


class StepModel(Model, ABC):
    """The settings of one step. Their types determine what they refer to, so that no other module knows it.

    | type of a setting | means | so that |
    |---|---|---|
    | `PromptSetting` | a prompt that the caller hears | `check` finds it missing; `expect: hears` counts it |
    | `Destination`, alone or in a tuple | a number to ring | `check` checks it; `expect: rings` counts it |
    | `Branch` | steps of its own | they are checked, found, and have a path |
    | `CallerListSetting` | a list of callers' numbers | `check` reports it missing |
    | `CalendarSetting` | a calendar of events | `check` reports it missing |
    """

    # The setting whose value may be written alone: `announce: welcome`.
    alone: ClassVar[str]
    # Whether that name is never written: the settings are names of the operator's own.
    always_alone: ClassVar[bool] = False
    # Built-in prompts that this step plays whatever its settings are.
    built_in: ClassVar[tuple[str, ...]] = ()
    # Whether the caller may leave a message, which is mailed to the owner.
    takes_message: ClassVar[bool] = False
    # Whether `explain` prints its outcome. A step with only one outcome needs none.
    has_outcome: ClassVar[bool] = True
    # Whether its outcome is a choice.
    chooses: ClassVar[bool] = False
    # Whether the `alone` setting names a file of routes/, whose steps are the setting `route`.
    uses_file: ClassVar[bool] = False

    step: str
    _path: StepPath = PrivateAttr(default=())

    @classmethod
    def noun(cls) -> str:
        """Return the step's name."""
        return str(cls.model_fields["step"].default)

    @field_validator("step")
    @classmethod
    def _possible_here(cls, step: str, info: ValidationInfo) -> str:
        if known := references(info):
            refuse(known.built_in(cls.built_in))
            refuse(known.mail() if cls.takes_message else None)
        return step

    @abstractmethod
    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        """Yield what to perform (`self`), a `Turn` or a `Draw`; return the result of the call so far."""

    def supposed(self, case: Case) -> Answer:
        """Return its answer in a rehearsal: of a step with destinations the next outcome, else `done`."""
        if not self.destinations:
            return Outcome.DONE
        return case.outcomes.pop(0) if case.outcomes else Outcome.TAKEN

    @property
    def summary(self) -> str:
        """Its settings in a few words, as `explain` prints them."""
        return str(getattr(self, self.alone))

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompts that the caller hears at this step, in order."""
        return self.values_of(PromptName)

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """The numbers that it rings, which give its outcome. Without any, a rehearsal supposes `done`."""
        return self.values_of(Destination)

    @property
    def objection(self) -> str | None:
        """What is wrong with its settings, and the remedy; stored versions may have it.

        A validator would make versions unreadable that were accepted before there was one.
        """
        return None

    @property
    def ringing(self) -> int:
        """For how many seconds, at most, the caller hears ringing, or music instead, at this step."""
        return 0

    @property
    def switches(self) -> tuple[str, ...]:
        """The names of the switches that it depends on."""
        return ()

    def values_of[T](self, kind: type[T]) -> tuple[T, ...]:
        """Return all its settings of this type, in order, without those of the steps in its branches."""
        return tuple(value for _, value in values_in(vars(self)) if isinstance(value, kind))

    @property
    def path(self) -> StepPath:
        """Keys and indexes as in the file; empty for a step that does not belong to a number."""
        return self._path

    def placed_at(self, path: StepPath) -> None:
        """Set the path. Only the number of the step does so, once, when it is loaded."""
        self._path = path


def visit(settings: object, at: StepPath = ("route",)) -> Iterator[tuple[StepPath, StepModel]]:
    """Every step of a route and of its branches, each with its path in the file."""
    for place, value in values_in(settings, at):
        if isinstance(value, StepModel):
            here = (*place, value.step)
            yield here, value
            yield from visit(vars(value), here)


def values_in(settings: object, at: StepPath = ()) -> Iterator[tuple[StepPath, object]]:
    """These settings and all values in them, each with its path; without the settings of steps in them."""
    yield at, settings
    inner: Iterable[tuple[str | int, object]] = ()
    if isinstance(settings, tuple):
        inner = enumerate(settings)
    elif isinstance(settings, dict):
        inner = settings.items()
    elif isinstance(settings, Model) and not isinstance(settings, StepModel):
        inner = vars(settings).items()  # `dict(settings)` would fail where a setting is called `keys`
    for key, value in inner:
        if type(value) not in PLAIN:
            yield from values_in(value, (*at, key))
