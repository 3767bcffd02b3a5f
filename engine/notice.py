"""That each of a conversation was told it would be recorded: the values without which nothing is recorded."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from dialplan.number import RecordingPolicy
from dialplan.prompt import Prompt

# The key by which a caller who is asked answers: recorded (opt_in), or not (opt_out).
ANSWER_KEY = "1"
# Its events may come so much late, and the second one less.
EVENTS_APART_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Heard:
    """An announcement that a leg has heard to its end, and the key the caller answered with, or "".

    `announcement` and `sha256`: the prompt's name and content; the instants are Asterisk's, UTC.
    """

    policy: RecordingPolicy
    announcement: str
    sha256: str
    language: str
    began: datetime
    ended: datetime
    answer: str = ""

    def as_fields(self) -> dict[str, Any]:
        """The evidence, as fields of journal.entries.CallerNotified."""
        return asdict(self) | {"policy": self.policy.value}


@dataclass(frozen=True, slots=True)
class Notice(Heard):
    """Heard, and the caller may be recorded. Only `Line.announce_recording` makes one."""


@dataclass(frozen=True, slots=True)
class Refusal(Heard):
    """Heard, and the caller is not to be recorded."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """The announcement that a party hears before it is recorded, and its language."""

    policy: RecordingPolicy
    prompt: Prompt
    language: str

    def is_whole(self, began: datetime, ended: datetime) -> bool:
        """Did it take as long as it is? Asterisk's word that it was played is not proof of it."""
        return (ended - began).total_seconds() > self.prompt.seconds - EVENTS_APART_SECONDS

    def heard(self, began: datetime, ended: datetime, *, pressed: bool) -> Notice | Refusal:
        """What it means that it was heard to its end, and the key pressed or not."""
        kind = Notice if self.policy.allows(pressed=pressed) else Refusal
        answer = ANSWER_KEY if pressed else ""
        return kind(self.policy, self.prompt.name, self.prompt.sha256, self.language, began, ended, answer)
