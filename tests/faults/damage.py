"""Damage that was done on purpose: it may cost what it hit, and has to be reported."""

from collections.abc import Set
from dataclasses import dataclass, field, replace

from storage.records import CallRecord
from tests.faults.observed import Observed, Stored
from tests.live.traffic.seen import Seen
from tests.live.traffic.truth import SAME_CALL


@dataclass
class Damage:
    """What a flipped bit has hit. `calls`: each one's id ("" where it is not known), number and beginning.

    `lost`: the audio that a failover has cost; its calls are whole. `earlier`: the ids of what was hit in
    earlier runs: it still lies about.
    """

    calls: list[tuple[str, str, float]] = field(default_factory=list)
    audio: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """Of calls and sounds, as they stand in file names and findings."""
        return [*self.earlier, *self.lost, *self.audio, *(call_id for call_id, *_ in self.calls if call_id)]

    def next(self) -> "Damage":
        """At the beginning of the next run: nothing is hit yet."""
        return Damage(earlier=self.ids)

    def hit(self, text: str) -> bool:
        """Whether this file or finding is of something that was hit."""
        return any(it in text for it in self.ids)


def unreported(damage: Damage, known: Set[str], stored: Stored) -> list[str]:
    """The damage that nothing tells of: neither the audit, nor the call's being `known` in the database."""
    calls = [call_id for call_id, *_ in damage.calls if call_id and call_id not in known]
    audio = [it for it in damage.audio if not any(it in finding for finding in stored.findings)]
    return [f"a flipped bit in {what} is not reported" for what in (*calls, *audio)]


def is_damaged(damage: Damage, number: str, began: float) -> bool:
    """Whether a flipped bit has hit the call to this number that began then."""
    same = [at for _, hit, at in damage.calls if hit.lstrip("+") == number.lstrip("+")]
    return any(abs(at - began) < SAME_CALL for at in same)


def without_damaged(damage: Damage, it: Observed) -> Observed:
    """All but the calls and sounds that were hit."""
    records = [record for record in it.records if not _is_hit(damage, record)]
    stored = replace(
        it.stored,
        audio={key: audio for key, audio in it.stored.audio.items() if not damage.hit(key)},
        findings=[finding for finding in it.stored.findings if not damage.hit(finding)],
        objects={name for name in it.stored.objects if not damage.hit(name)},
    )
    calls = [call for call in it.calls if not _was_hit(damage, it, call)]
    left = replace(it.left, leases=[name for name in it.left.leases if not damage.hit(name)])
    lost = frozenset(damage.lost)
    return replace(it, calls=calls, records=records, stored=stored, left=left, lost=lost)


def _is_hit(damage: Damage, record: CallRecord) -> bool:
    hit = is_damaged(damage, record.number, record.began.timestamp())
    return hit or record.recording_id in damage.audio


def _was_hit(damage: Damage, it: Observed, call: Seen) -> bool:
    hit = is_damaged(damage, call.number, call.began)
    return hit or any(_is_hit(damage, record) for record in it.records_of(call))
