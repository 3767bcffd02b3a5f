"""The caller notice: the evidence that a caller heard that the call is recorded. Without it nothing is."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from dialplan.number import RecordingPolicy
from dialplan.prompt import Prompt

# The key with which a caller who is asked answers: recorded (opt_in), or not (opt_out).
ANSWER_KEY = "1"
# The two events of a playback may come so much apart.
EVENTS_APART_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class CallerNotice:
    """An announcement that the caller heard to its end, and the key with which they answered, or "".

    `announcement` and `sha256`: name and content of the prompt. The instants are Asterisk's, UTC.
    """

    policy: RecordingPolicy
    announcement: str
    sha256: str
    language: str
    began: datetime
    ended: datetime
    answer: str = ""

    def as_fields(self) -> dict[str, Any]:
        """Return the fields of journal.entries.CallerNotified."""
        return asdict(self) | {"policy": self.policy.value}


@dataclass(frozen=True, slots=True)
class Acceptance(CallerNotice):
    """The caller may be recorded. Only `Line.announce_recording` makes one."""


@dataclass(frozen=True, slots=True)
class Refusal(CallerNotice):
    """The caller must not be recorded."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """The announcement that the caller hears before the call is recorded, and its language."""

    policy: RecordingPolicy
    prompt: Prompt
    language: str

    def is_whole(self, began: datetime, ended: datetime) -> bool:
        """Whether the playback lasted as long as the prompt. That Asterisk calls it done is no proof."""
        return (ended - began).total_seconds() > self.prompt.seconds - EVENTS_APART_SECONDS

    def notice(self, began: datetime, ended: datetime, *, pressed: bool) -> Acceptance | Refusal:
        """Return the notice of a caller who heard it to its end. `pressed`: the answer key."""
        kind = Acceptance if self.policy.allows(pressed=pressed) else Refusal
        answer = ANSWER_KEY if pressed else ""
        return kind(self.policy, self.prompt.name, self.prompt.sha256, self.language, began, ended, answer)
