"""`expect`: the required result of a call, written beside the route and checked before that goes live."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from dialplan.caller import UNKNOWN, WITHHELD, Caller, Presentation
from dialplan.destination import Where
from dialplan.model import TEXT, Model, Name, Written, check_e164, listed
from dialplan.result import Outcome, Result


def read_local_time(written: object) -> datetime:
    """Parse `2026-12-25 10:00` as a naive datetime, local time of the number. Raises ValueError."""
    text = str(written)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", text, re.ASCII):
        raise ValueError(f"`{text}` is not a local time; write year, month, day and time: 2026-12-25 10:00")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"there is no {text} in the calendar") from error


def read_caller(written: object) -> Caller:
    """Parse `+3221112233` or `withheld` as a caller. Raises ValueError."""
    match written:
        case "withheld":
            return WITHHELD
        case str():
            return Caller(Presentation.SHOWN, check_e164(written))
        case _:
            raise ValueError("write a number or `withheld`")


def check_ring_outcome(outcome: Outcome) -> Outcome:
    if outcome is Outcome.DONE:
        raise ValueError("nothing rung is `done`; write what came of it: taken, busy, no_answer, …")
    return outcome


def check_press(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,8}|[*#]|timeout", text, re.ASCII):
        raise ValueError(f"`{text}` is not what a caller presses; write digits, '*', '#' or timeout")
    return text


RingOutcome = Annotated[
    Outcome,
    AfterValidator(check_ring_outcome),
    Written(enum=[outcome.value for outcome in Outcome if outcome is not Outcome.DONE]),
]
Press = Annotated[
    str,
    AfterValidator(check_press),
    Written(description="keys, or `timeout`", type=TEXT, pattern=r"^([0-9]{1,8}|[*#]|timeout)$"),
]


class Expect(Model):
    """One call that is rehearsed whenever the file is read; every key is compared exactly.

        - {at: 2026-12-25 10:00, hears: [welcome, closed-holiday], ends: closed}
        - {at: 2026-11-24 10:00, from: withheld, outcomes: [busy, taken], rings: [+32470111222, +3221112233]}

    `at`: local time of the number. `outcomes`: those of the rings in order, then `taken`. `presses`: what the
    caller enters in each menu, then `timeout`. `nth`: it is the n-th call, wherever the route counts calls
    (`share`, `ring`). `live`: the calls that are within each limit already. `switch`: the one that is on, or
    several. `unreachable`: the destination that could not be reached lately, or several. `hears`: the prompts
    in order (of a voicemail its greeting). `rings`: the destinations in order. `ends`: the record's outcome.
    """

    at: Annotated[
        datetime,
        PlainValidator(read_local_time),
        Written(
            description="a local time such as 2026-12-25 10:00",
            type="string",
            pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}$",
        ),
        Field(examples=["2026-12-25 10:00"]),
    ]
    caller: Annotated[
        Caller,
        PlainValidator(read_caller),
        Written(description="a number, or `withheld`", type=TEXT, pattern=r"^(withheld|\+[1-9][0-9]{6,14})$"),
    ] = Field(UNKNOWN, alias="from")
    outcomes: tuple[RingOutcome, ...] = ()
    nth: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    live: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    presses: tuple[Press, ...] = ()
    unreachable: Annotated[tuple[Where, ...], BeforeValidator(listed, Where | tuple[Where, ...])] = ()
    switch: Annotated[tuple[Name, ...], BeforeValidator(listed, Name | tuple[Name, ...])] = ()
    hears: tuple[Name, ...] | None = None
    rings: tuple[Where, ...] | None = None
    ends: Result | None = None

    @classmethod
    def noun(cls) -> str:
        return "expect"
