"""The entries of the journal: everything that can happen to a call, one frozen struct for each kind.

An entry is one line of ASCII JSON; instants are aware UTC datetimes, ISO 8601 on disk.

**Names on disk.** The tag of a struct is the entry's `kind` on disk. Tags, field names and words in fields
("heard", "vm_start", `audio`) never change, even where the code uses a better word: older programs read them
by name, and so does this one in older journals.

**Versions.** A field is added with a default, and a kind never changes its meaning: so an older journal can
be decoded. Unknown fields are ignored, and an entry of an unknown kind costs that entry only
(`journal.reader`): so an older program reads a newer journal. Fields with their default value are written
too, because programs older than this module require them.

**Clock.** `at` is Asterisk's: CEL's microseconds for what Asterisk did by itself, the milliseconds of events
for what it did for the engine. It is a wall clock, which somebody may set: see ClockStepped.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from dialplan.result import Outcome, Result
from journal.recorder_terms import RecorderTerms

EndedBy = Literal["caller", "destination", "limit", "network", "engine", "lost"]
HowMessageEnded = Literal["hangup", "key", "silence", "limit", "failed"]
NoticeResult = Literal["heard", "refused", "failed", "skipped"]
BY_ENGINE = "engine"  # Answered.to by CEL: that engine may have died before it journalled for what


class _Entry(Struct, frozen=True, tag_field="kind", gc=False):
    call: str
    at: datetime


class _Step(Struct, frozen=True, tag_field="kind", gc=False):
    """An event on the route. In older journals such an entry has no `at`."""

    call: str


class CallStarted(_Entry, frozen=True, tag="call_start", gc=False):
    """A call came in. `caller`: "" if withheld or unknown; `number`: the dialled number.

    `missed`: where a missed-call mail goes (a dialplan.delivery.Delivery as JSON); None: no mail.
    `routing`: the digest of the routing version that the call follows; "" in older journals. `switches`: the
    names of those that were on, for the number or its owner; `unreachable`: destinations left out.
    `trunk`: the carrier that the call came from; "" if unknown, or in older journals.
    """

    number: str
    owner: str
    withheld: bool
    node: str
    channel: str
    caller: str = ""
    missed: Mapping[str, Any] | None = None
    routing: str = ""
    switches: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    trunk: str = ""


class Turned(_Step, frozen=True, tag="turn", gc=False):
    """The route chose a branch: at `step`, for the reason `why`, which `callengine explain` shows.

    `language`: that of the call from now on, if the caller has chosen one.
    """

    step: str
    why: str
    at: datetime | None = None
    language: str = ""


class StepPerformed(_Step, frozen=True, tag="step", gc=False):
    """A step of the route is over. `path`: its place in the tree of steps; () in older journals.

    `choice`: what was chosen, where the step is one that chooses: a dialplan.result.Choice; "" for any other.
    """

    step: str
    outcome: Outcome
    path: tuple[str | int, ...] = ()
    at: datetime | None = None
    choice: str = ""


class HandedOver(_Entry, frozen=True, tag="connect", gc=False):
    """The caller's channel is continued in the dialplan's Dial() to these destinations.

    `recorder`: None if nothing is recorded.
    """

    to: tuple[str, ...]
    seconds: int
    recorder: RecorderTerms | None = None


class FellBack(_Entry, frozen=True, tag="fallback", gc=False):
    """Asterisk took the caller to the number's fallback: no engine was there, or it lost its lease.

    `to`: the fallback; or the destinations of a ring that the engine did not live to journal.
    """

    to: tuple[str, ...] = ()


class LegStarted(_Entry, frozen=True, tag="leg_start", gc=False):
    """A destination is dialled. `trunk`: by which carrier; "" in older journals."""

    leg: str
    to: str
    trunk: str = ""


class LegRang(_Entry, frozen=True, tag="leg_ringing", gc=False):
    leg: str


class LegAnswered(_Entry, frozen=True, tag="leg_answer", gc=False):
    """The destination answered. It does not talk with the caller yet: see LegConnected."""

    leg: str


class LegAsked(_Entry, frozen=True, tag="leg_asked", gc=False):
    """The destination, which had answered, was asked to press 1 to take the call.

    `result`: key (it pressed 1), no_key, or left (it hung up meanwhile).
    """

    leg: str
    result: Literal["key", "no_key", "left"]


class LegConnected(_Entry, frozen=True, tag="leg_joined", gc=False):
    """The destination entered the bridge with the caller. Older journals have no such entry."""

    leg: str


class LegEnded(_Entry, frozen=True, tag="leg_end", gc=False):
    """`cause`: Q.850. `sip`: the last SIP status of the leg, 0 if unknown."""

    leg: str
    outcome: Outcome
    cause: int | None = None
    sip: int = 0


class Answered(_Entry, frozen=True, tag="answered", gc=False):
    """The caller was answered: the caller's bill begins.

    `to`: "voicemail", "menu", BY_ENGINE, or in older journals a destination.
    """

    to: str = ""


class CallerNotified(_Entry, frozen=True, tag="notice", gc=False):
    """The caller notice: evidence that the caller heard that the call is recorded, or `why` not.

    `policy`: the number's dialplan.number.RecordingPolicy. `announcement`, `sha256`, `language`: the prompt,
    played from `began` to `ended`. `answer`: the key that the caller pressed.
    """

    result: NoticeResult
    policy: str = ""
    why: str = ""
    announcement: str = ""
    sha256: str = ""
    language: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    answer: str = ""


class PartyNotified(_Entry, frozen=True, tag="informed", gc=False):
    """The party notice of a destination. `result` known: the owner vouches that the destination knows.

    left: the destination hung up during the announcement. The other fields are those of CallerNotified.
    """

    leg: str
    result: Literal["heard", "known", "failed", "left"]
    why: str = ""
    policy: str = ""
    announcement: str = ""
    sha256: str = ""
    language: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    answer: str = ""


class RecordingStarted(_Entry, frozen=True, tag="rec_start", gc=False):
    """The conversation is recorded from now on. `keep_seconds`: the owner's retention at this instant.

    `audio`: the recording's id. `leg`: the destination that is recorded; "" in older journals.
    """

    audio: str
    keep_seconds: int
    format: str
    leg: str = ""


class RecordingPaused(_Entry, frozen=True, tag="rec_pause", gc=False):
    """Digital silence from now on, by a key of the destination."""


class RecordingResumed(_Entry, frozen=True, tag="rec_resume", gc=False):
    how: Literal["key", "auto"]


class RecordingStopped(_Entry, frozen=True, tag="rec_stop", gc=False):
    """Nothing more is recorded, before the conversation is over."""

    how: Literal["key", "failed"]


class RecordingEnded(_Entry, frozen=True, tag="rec_end", gc=False):
    audio: str


class MessageStarted(_Entry, frozen=True, tag="vm_start", gc=False):
    """The caller leaves a message. `deliver`: a dialplan.delivery.Delivery as JSON."""

    audio: str
    deliver: Mapping[str, Any]


class MessageEnded(_Entry, frozen=True, tag="vm_end", gc=False):
    audio: str
    how: HowMessageEnded


class CallerLeft(_Entry, frozen=True, tag="caller_left", gc=False):
    """The end of the caller's channel, according to CEL. `unanswered`: its answer was never sent to them."""

    by: EndedBy
    cause: int
    unanswered: bool = False


class ClockStepped(_Entry, frozen=True, tag="clock_step", gc=False):
    """The wall clock was set by `seconds` while the call was live; back, if they are negative.

    It happened between two readings of the clock: `before` at the first, `at` at the second. CEL and events
    use this clock, so the difference of two instants, one before and one after, is wrong by `seconds`.
    """

    before: datetime
    seconds: float


class CallEnded(_Entry, frozen=True, tag="call_end", gc=False):
    """The call is over: the last entry of a call. To correct a call, append all of its entries again."""

    outcome: Result
    ended_by: EndedBy
    cause: int | None = None


class DestinationLeftOut(_Entry, frozen=True, tag="left_out", gc=False):
    """From now on calls leave this destination out: it could not be reached `attempts` times in a row.

    `deliver`: where the mail to the owner goes (a dialplan.delivery.Delivery as JSON); None: no mail.
    """

    to: str
    attempts: int
    deliver: Mapping[str, Any] | None = None


class Heartbeat(Struct, frozen=True, tag_field="kind", tag="heartbeat", gc=False):
    """The node was alive at this instant of Asterisk's clock: an entry of no call.

    `call` is "" so that a program older than this module, which requires the field, skips this entry.
    """

    at: datetime
    call: str = ""


# fmt: off
CallEntry = (
    CallStarted | Turned | StepPerformed | HandedOver | FellBack
    | LegStarted | LegRang | LegAnswered | LegAsked | LegConnected | LegEnded
    | Answered | CallerNotified | PartyNotified
    | RecordingStarted | RecordingPaused | RecordingResumed | RecordingStopped | RecordingEnded
    | MessageStarted | MessageEnded | CallerLeft | ClockStepped | CallEnded
    | DestinationLeftOut
)
# fmt: on
Entry = CallEntry | Heartbeat
