"""What the API answers, as models: the OpenAPI document is generated from them.

Instants are UTC, durations seconds. A caller who is withheld, unknown, or was erased is null.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from storage.api_tokens import Scope

Outcome = Literal[
    "answered",
    "voicemail",
    "abandoned",
    "busy",
    "no_answer",
    "unreachable",
    "rejected",
    "closed",
    "failed",
    "lost",
]
Instant = Annotated[AwareDatetime, Field(description="UTC, ISO 8601")]
Seconds = Annotated[float, Field(ge=0)]
Caller = Annotated[str | None, Field(description="null: withheld, unknown, or erased")]


class Shape(BaseModel):
    """Answers have these fields and no others; a later version may add some."""

    model_config = ConfigDict(extra="forbid", ser_json_timedelta="float")


class Owner(Shape):
    """Whose data this token reads, and which."""

    owner: str
    name: str
    token: str
    scopes: list[Scope]


class Settings(Shape):
    """What is stored for the owner, in force some seconds later.

    `changed`: what the owner has changed over the provider's file.
    """

    name: str
    language: str
    mail: list[str]
    mail_then: str | None
    audio: str
    recordings: str
    missed_calls: str
    keep_seconds: Seconds
    anonymise_seconds: Seconds | None
    require_tls: bool
    changed: list[str]


class Leg(Shape):
    """One attempt at one destination. `cause`: Q.850; `sip`: the last SIP status."""

    destination: str
    began: Instant
    ringing: Instant | None
    answered: Instant | None
    connected: Instant | None
    ended: Instant | None
    outcome: str
    cause: int | None
    sip: int | None


class Call(Shape):
    """A call that has ended. `answered`: its bill began; `connected`: a destination talked to the caller."""

    call_id: str
    number: str
    caller: Caller
    withheld: bool
    began: Instant
    answered: Instant | None
    connected: Instant | None
    ended: Instant | None
    ring_seconds: Seconds
    talk_seconds: Seconds
    delivered_to: str | None
    outcome: Outcome
    ended_by: str
    cause: int | None
    recording_id: str | None
    message_id: str | None
    choices: list[str]
    legs: list[Leg]


class Recipient(Shape):
    """The mail to one address. `at`: of that state; of a waiting one, the next attempt."""

    address: str
    state: str
    at: Instant | None
    attempts: int


class Message(Shape):
    """A message, a missed call, or a destination that is left out. `sound`: the state of the audio."""

    message_id: str
    kind: Literal["voicemail", "missed", "left_out"]
    call_id: str
    number: str
    caller: Caller
    withheld: bool
    began: Instant
    state: str
    why: str | None
    sound: str | None
    seconds: Seconds | None
    kept_until: Instant | None
    held: bool
    destroyed: Instant | None
    recipients: list[Recipient]


class Recording(Shape):
    """A recorded conversation. `kept_seconds`: the retention; `short_by`: seconds that are missing."""

    recording_id: str
    call_id: str
    number: str
    caller: Caller
    withheld: bool
    began: Instant
    seconds: Seconds | None
    state: str
    format: str
    kept_seconds: Seconds
    destroy_after: Instant
    reason: str
    held: bool
    review_on: date | None
    short_by: Seconds
    one_way: str | None
    silent: bool
    destroyed: Instant | None


class Number(Shape):
    """A service number as it is in force. `record`: off, announce, opt_out or opt_in."""

    number: str
    label: str
    timezone: str
    record: str
    fallback: str | None
    max_minutes: int


class Switch(Shape):
    """A switch of a number's route. `until`: when it goes off by itself; null: it is off."""

    name: str
    until: Instant | None


class Sent(Shape):
    """A message that is sent again."""

    message_id: str
    state: str


class Destruction(Shape):
    """A recording that the worker destroys within seconds."""

    recording_id: str
    destroy_after: Instant


class Access(Shape):
    """Who saw or heard what. `actor`: operator, owner or authority."""

    seq: int
    at: datetime
    what: str
    actor: str
    who: str
    audio_id: str | None
    detail: str | None


class Hour(Shape):
    """Calls of one outcome in one hour of the day."""

    hour: Annotated[int, Field(ge=0, le=23)]
    outcome: str
    calls: int


class Weekday(Shape):
    """Calls of one outcome on one day of the week; Monday is 1."""

    weekday: Annotated[int, Field(ge=1, le=7)]
    outcome: str
    calls: int


class Statistics(Shape):
    """Calls of a time by outcome, hour and weekday. `ring_seconds`: the mean until an answer."""

    since: Instant
    until: Instant
    timezone: str
    calls: int
    outcomes: dict[str, int]
    hours: list[Hour]
    weekdays: list[Weekday]
    ring_seconds: float | None


Next = Annotated[str | None, Field(description="`cursor` of the next page; null: this is the last one")]


class Calls(Shape):
    items: list[Call]
    next: Next


class Messages(Shape):
    items: list[Message]
    next: Next


class Recordings(Shape):
    items: list[Recording]
    next: Next


class Numbers(Shape):
    items: list[Number]


class Switches(Shape):
    items: list[Switch]


class Accesses(Shape):
    items: list[Access]
    next: Next


class Error(Shape):
    """One parameter, or one field of a body, that cannot be understood."""

    name: str
    detail: str


class ProblemShape(BaseModel):
    """RFC 9457.

    `destroyed_now`, `destroyed_earlier`: how many recordings a shorter retention destroys at once, and later
    but earlier than agreed.
    """

    type: str
    title: str
    status: int
    detail: str
    errors: list[Error] = []
    destroyed_now: int | None = None
    destroyed_earlier: int | None = None
