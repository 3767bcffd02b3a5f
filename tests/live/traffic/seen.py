"""What the telephones saw of a call, as plain values. Instants are the kernel's, in seconds of the epoch."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

FRAME_SECONDS = 0.02
LATE = 0.1  # s between the last packet and the instant of a signal, or a signal and the next packet
WHOLE_ANNOUNCEMENT = 1.0  # s: the shortest that a destination is told is longer
Span = tuple[float, float]


@dataclass(frozen=True)
class LegSeen:
    """A destination's telephone. `how`: "bye", "cancel", or the status it refused with."""

    to: str
    began: float
    ringing: float | None
    answered: float | None
    ended: float | None
    how: str
    early: bool
    fallback: bool
    sounds: tuple[Span, ...]  # announcements that it heard
    crossed: bool = False  # a CANCEL came after its answer


@dataclass(frozen=True)
class Seen:
    """A call. `to`: the destination that talked with the caller; `ended_by`: caller, destination, or ""."""

    script: str
    before: str  # the phase until a destination rings
    number: str
    who: str
    began: float
    answered: float | None
    ended: float | None
    ended_by: str
    to: str
    caller_silence: float  # s in which they did not hear the other, at most; of a call without a talk 0
    destination_silence: float
    sounds: tuple[Span, ...]  # announcements that the caller heard
    keys: tuple[tuple[str, float], ...]  # that the destination pressed
    legs: tuple[LegSeen, ...]
    voices: tuple[int, int] = (0, 0)  # names of the two telephones (media.py); 0: there was no second one
    spoken: float = 0.0  # s that the caller said after the beep
    shares: tuple[float, float] = (1.0, 1.0)  # of the talk in which they spoke: less on a busy machine

    @property
    def announcement(self) -> Span | None:
        """That a destination heard whole after it had answered: only then the talk is recorded."""
        whole = (
            sound
            for leg in self.legs
            if leg.answered
            for sound in leg.sounds
            if sound[1] - sound[0] > WHOLE_ANNOUNCEMENT
        )
        return next(whole, None)


def with_whole_sounds(call: Seen, standstills: Sequence[Span]) -> Seen:
    """The call with one announcement where Asterisk stood still in the middle of it."""
    legs = [replace(leg, sounds=tuple(whole_sounds(leg.sounds, standstills))) for leg in call.legs]
    return replace(call, legs=tuple(legs))


def whole_sounds(sounds: Sequence[Span], standstills: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for began, ended in sounds:
        gap = (joined[-1][1], began) if joined else (0.0, began)
        if any(is_same(gap, standstill) for standstill in standstills):
            joined[-1] = joined[-1][0], ended
        else:
            joined.append((began, ended))
    return joined


def is_same(gap: Span, standstill: Span) -> bool:
    return all(abs(one - other) < LATE for one, other in zip(gap, standstill, strict=True))


def longest_silence(said: Sequence[float], heard: Sequence[float], talk: Span) -> float:
    """The longest time within the talk in which one was not heard who spoke, in seconds.

    `said`, `heard`: the instants of one's packets as they left, and as they came to the other. Where one said
    nothing, or was late with it, nothing was there to be heard.
    """
    began, ended = talk
    inner = [at for at in heard if began < at < ended]
    silences = (unheard(said, gap) for gap in pairwise([began, *inner, ended]))
    return max(silences, default=0.0)


def unheard(said: Sequence[float], gap: Span) -> float:
    """How much of this gap there was something to hear."""
    since, until = gap
    first = bisect_right(said, since)
    if first == len(said) or said[first] >= until:
        return 0.0
    return until - max(since, said[first] - FRAME_SECONDS)


def phases(seen: Seen) -> Iterator[tuple[str, Span]]:
    """What the call went through, and when. Several destinations may ring at once."""
    ended = seen.ended or seen.answered or seen.began
    first = min([leg.began for leg in seen.legs] + [seen.answered or ended])
    yield seen.before, (seen.began, first)
    for leg in seen.legs:
        yield "early media" if leg.early else "ringing", (leg.began, leg.answered or leg.ended or ended)
        if leg.answered and leg.sounds:
            yield "consent", (leg.answered, seen.answered or ended)
    if seen.answered:
        yield from _answered(seen, (seen.answered, ended))


def _answered(seen: Seen, span: Span) -> Iterator[tuple[str, Span]]:
    if not seen.to:
        yield "voicemail", span
    elif seen.announcement is None:
        yield "talking", span
    else:
        stars = [at for key, at in seen.keys if key == "1"]
        begins, ends = stars[::2], [*stars[1::2], span[1]]
        pauses = list(zip(begins, ends, strict=False))
        yield from (("paused", pause) for pause in pauses)
        edges = [span[0], *(at for pause in pauses for at in pause), span[1]]
        yield from (
            ("recorded", (since, until)) for since, until in zip(edges[::2], edges[1::2], strict=True)
        )
