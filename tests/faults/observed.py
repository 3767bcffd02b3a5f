"""What was observed of a run from outside: telephones, CEL, records, mails, what is stored, and what is left.

Plain values. Instants are seconds of the epoch, by the kernel's clock, which Asterisk writes CEL with.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property

from journal.cel_calls import CelCall
from storage.reconciliation import Difference, Kind
from storage.records import CallRecord
from tests.live.traffic.seen import Seen, Span
from tests.live.traffic.truth import SAME_CALL, Evidence

UNNOTED = 2.0  # s: two writes of a disk that hangs
SETTLING = 2.0  # s before it is ready, in which an engine that has just been started takes calls already
STOPS = 0.5  # s until the connection to Asterisk of an engine that is stopped in order has ended
Voices = Mapping[int, float]  # by a telephone's name: the seconds of what it said


@dataclass(frozen=True)
class Absence:
    """A part that was broken: from `since` until it served again.

    `how`: killed, stopped (SIGTERM), frozen (SIGSTOP), away, full, ...
    """

    part: str
    how: str
    since: float
    until: float

    def touches(self, since: float, until: float) -> bool:
        """Whether any of this time is within that span."""
        return self.since < until and since < self.until

    @property
    def is_standstill(self) -> bool:
        """Whether Asterisk did nothing, and went on afterwards as if no time had passed."""
        return (self.part, self.how) == ("asterisk", "frozen")


@dataclass(frozen=True)
class MailSeen:
    """A mail as the owner's server has it. `message_id`: its header; `voices`: who speaks in it."""

    message_id: str
    content: bytes
    voices: Voices


@dataclass(frozen=True)
class AudioSeen:
    """A row of `audio`. `due`: when it has to be destroyed. `voices`: None where it does not open."""

    audio_id: str
    kind: str
    state: str
    began: float
    due: float | None
    seconds: float
    voices: Voices | None = None


@dataclass(frozen=True)
class Left:
    """What is left a minute after the last call: of each kind its names, which should be none."""

    channels: Sequence[str] = ()
    bridges: Sequence[str] = ()
    calls: Sequence[str] = ()  # that the engine still has
    leases: Sequence[str] = ()
    spool: Sequence[str] = ()
    drafts: Sequence[str] = ()  # half-written objects, journal and position files


@dataclass(frozen=True)
class Stored:
    """What is kept of sounds. `objects`: their names; `keys`, `tombstones`: by audio ids.

    `traces`: where a telephone is heard in plain. `findings`: what the audit has to say.
    """

    audio: Mapping[str, AudioSeen] = field(default_factory=dict)
    objects: Set[str] = frozenset()
    keys: Set[str] = frozenset()
    tombstones: Set[str] = frozenset()
    traces: Sequence[str] = ()
    findings: Sequence[str] = ()


@dataclass(frozen=True)
class Observed:
    """All of it. `withheld`: for each withheld number that was called with, the places where it stands.

    `differences`: what `callengine reconcile` finds. `unreported`: damage that was done, and that neither a
    dead letter nor the audit tells of; the calls and sounds that it hit are left out of all the rest.
    `lost`: the audio that a failover has cost.
    `late`: by how much the telephones' timers were late at most: a busy machine delays Asterisk as well.
    `now`: when it was looked at.
    """

    calls: Sequence[Seen]
    records: Sequence[CallRecord]
    absences: Sequence[Absence] = ()
    cel: Sequence[CelCall] = ()
    recordings: Mapping[str, Evidence] = field(default_factory=dict)
    mails: Sequence[MailSeen] = ()
    stored: Stored = field(default_factory=Stored)
    left: Left = field(default_factory=Left)
    withheld: Mapping[str, Sequence[str]] = field(default_factory=dict)
    differences: Sequence[Difference] = ()
    unreported: Sequence[str] = ()
    lost: Set[str] = frozenset()
    late: float = 0.0
    now: float = 0.0

    def of(self, part: str, *how: str) -> list[Absence]:
        """The absences of this part, of these kinds (of all, without any)."""
        return [it for it in self.absences if it.part == part and (not how or it.how in how)]

    def is_cut(self, difference: Difference) -> bool:
        """Whether its lines of CEL are gone: copy and truncate loses those between the two, for everybody."""
        began = difference.began.timestamp()
        cut = [it for it in self.of("cel", "copy") if it.since <= began < it.until]
        return bool(cut) and difference.kind is Kind.NO_CEL

    def forgets(self, engine: Absence) -> Span:
        """The span in which that engine alone knew of what happened, and forgot it as it ended.

        One that is stopped in order still hears of it. On a disk that hangs it has not noted what came
        before.
        """
        hung = any(disk.touches(engine.since, engine.until) for disk in self.of("disk"))
        return engine.since - UNNOTED * hung, engine.since + STOPS * (engine.how == "stopped")

    def death(self, call: Seen) -> Absence | None:
        """The death of Asterisk in which this call ended, if any."""
        ended = call.ended or call.began
        deaths = self.of("asterisk", "killed")
        return next((it for it in deaths if call.began <= it.since <= ended), None)

    def unseen(self, death: Absence) -> float:
        """For how long no engine had been there when Asterisk died: its last sign of life is so old, in s."""
        away = [it for it in self.of("engine") if it.since < death.since <= it.until + SETTLING]
        return max((death.since - it.since for it in away), default=0.0)

    def stood_still(self, call: Seen) -> Absence | None:
        """The time in which Asterisk did nothing while this call lived, or ended."""
        ended = (call.ended or call.began) + 0.05
        frozen = self.of("asterisk", "frozen")
        return next((it for it in frozen if it.touches(call.began, ended)), None)

    def frozen_seconds(self, since: float, until: float) -> float:
        """For how long Asterisk stood still in that time."""
        spans = [(max(it.since, since), min(it.until, until)) for it in self.of("asterisk", "frozen")]
        return sum(max(end - begin, 0.0) for begin, end in spans)

    def came(self, call: Seen) -> float:
        """When Asterisk had the call: one that stood still sees its INVITE when it runs again."""
        frozen = (it for it in self.of("asterisk", "frozen") if it.since <= call.began < it.until)
        return next((it.until for it in frozen), call.began)

    def records_of(self, call: Seen) -> list[CallRecord]:
        """All records that can be of this call: of its number, begun when it began, and no other call did."""
        return self._records_of_calls.get((call.number, call.began), [])

    def cel_of(self, call: Seen) -> list[CelCall]:
        """The same of CEL's calls."""
        return self._cel_of_calls.get((call.number, call.began), [])

    @cached_property
    def _records_of_calls(self) -> Mapping[tuple[str, float], list[CallRecord]]:
        return self._by_call(self.records)

    @cached_property
    def _cel_of_calls(self) -> Mapping[tuple[str, float], list[CelCall]]:
        return self._by_call(self.cel)

    def _by_call[One: (CallRecord, CelCall)](
        self, some: Sequence[One]
    ) -> Mapping[tuple[str, float], list[One]]:
        calls: dict[str, list[Seen]] = defaultdict(list)
        for call in self.calls:
            calls[call.number.lstrip("+")].append(call)
        found: dict[tuple[str, float], list[One]] = defaultdict(list)
        for one in some:
            began = one.began.timestamp()
            same = calls[one.number.lstrip("+")]
            near = min(same, key=lambda call: abs(self.came(call) - began), default=None)
            if near is not None and abs(self.came(near) - began) < SAME_CALL + self.late:
                found[near.number, near.began].append(one)
        return found
