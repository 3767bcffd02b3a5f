"""The CEL events of recorder.conf as entries: party notices, and what was recorded when."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from journal.cel import CelEvent
from journal.entries import (
    Entry,
    PartyNotified,
    RecordingEnded,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
)
from journal.recorder_terms import RecorderTerms
from journal.state import CallState

# PLAYBACKSTATUS of the announcement, or LEFT for a destination that hung up during it.
HEARD, LEFT = "SUCCESS", "LEFT"
WHY = {
    "failed": "the announcement was not heard to its end",
    "left": "the destination hung up during the announcement",
}


def recorder_entries(event: CelEvent, leg: str, state: CallState) -> Iterator[Entry]:
    """Translate an event of this leg into entries. Raises ValueError, KeyError."""
    terms = state.handovers[-1].recorder if state.handovers else None
    if terms is None:  # the recorder never starts without them
        return
    match event.kind:
        case "INFORMED":
            yield _party_notice(event, leg, state, terms)
        case "REC_START":
            yield from _started(event, leg, state, terms)
        case "REC_PAUSE":
            yield RecordingPaused(state.call_id, _at(event))
        case "REC_RESUME":
            yield RecordingResumed(
                state.call_id, _at(event), "auto" if event.extra["how"] == "auto" else "key"
            )
        case "REC_END":
            yield RecordingEnded(state.call_id, _at(event), terms.audio)
        case "REC_STOP":
            yield RecordingStopped(
                state.call_id, _at(event), "key" if event.extra["how"] == "key" else "failed"
            )


def recording_ended(state: CallState, leg: str, at: datetime) -> Iterator[Entry]:
    """The recorder ends with its leg."""
    recording = state.recording
    if recording is not None and recording.ended is None and recording.leg == leg:
        yield RecordingEnded(state.call_id, at, recording.audio)


def _party_notice(event: CelEvent, leg: str, state: CallState, terms: RecorderTerms) -> PartyNotified:
    result: Literal["heard", "failed", "left"] = "failed"
    if event.extra["result"] in (HEARD, LEFT):
        result = "heard" if event.extra["result"] == HEARD else "left"
    return PartyNotified(
        state.call_id,
        event.at,
        leg,
        result,
        why=WHY.get(result, ""),
        policy=terms.policy,
        announcement=terms.announcement,
        sha256=terms.sha256,
        language=terms.language,
        began=_instant(event.extra["began"]),
        ended=_instant(event.extra["ended"]),
    )


def _started(event: CelEvent, leg: str, state: CallState, terms: RecorderTerms) -> Iterator[Entry]:
    """Without an announcement the destination agreed once and for all, for which the owner vouches."""
    if leg not in state.consent.parties:
        yield PartyNotified(state.call_id, event.at, leg, "known", policy=terms.policy)
    yield RecordingStarted(state.call_id, _at(event), terms.audio, terms.keep_seconds, terms.format, leg)


def _at(event: CelEvent) -> datetime:
    """Return the instant, in milliseconds of the epoch, that is also in the name of the file."""
    return _epoch(int(event.extra["at"]) / 1000)


def _instant(seconds: str) -> datetime:
    """Parse seconds of the epoch, with microseconds."""
    return _epoch(float(seconds))


def _epoch(seconds: float) -> datetime:
    """Raises ValueError."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except OverflowError:
        raise ValueError("not an instant") from None
