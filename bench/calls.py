"""Calls as measured at both ends, and their delays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median

Instant = float  # Unix seconds; both ends use the same clock


@dataclass(frozen=True, slots=True)
class Sent:
    """A successful call at the caller's end; `ringing` is None without a 180."""

    invite: Instant
    ringing: Instant | None
    answer: Instant
    bye: Instant


@dataclass(frozen=True, slots=True)
class Taken:
    """The same call at the destination that answered; `released`: when each other leg was released."""

    invite: Instant
    answer: Instant
    bye: Instant
    released: tuple[Instant, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    sent: Sent
    taken: Taken

    @property
    def setup(self) -> float:
        """Post-dial delay: from the caller's INVITE to the destination's, ms."""
        return (self.taken.invite - self.sent.invite) * 1000

    @property
    def answer(self) -> float:
        """From the destination's 200 to the caller's, ms."""
        return (self.sent.answer - self.taken.answer) * 1000

    @property
    def goodbye(self) -> float:
        """From the caller's BYE to the destination's, ms."""
        return (self.taken.bye - self.sent.bye) * 1000

    @property
    def release(self) -> float | None:
        """From the answer until the last other leg was released, ms; None if none rang."""
        return (max(self.taken.released) - self.taken.answer) * 1000 if self.taken.released else None


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call. `saw`: what its caller saw last, `after` seconds after the INVITE (None: unknown).

    `rang`: seconds from the caller's INVITE to the destination's, None if there was none.
    `began`: the instant of the caller's INVITE, None if SIPp did not send it.
    """

    caller: str
    saw: str
    after: float | None = None
    rang: float | None = None
    began: Instant | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """The results of `placed` calls, `rate` a second.

    `retransmitted`: how often each message was, of all calls; without those that were not.
    """

    rate: float
    placed: int
    calls: tuple[Call, ...]
    failures: tuple[Failure, ...] = ()
    retransmitted: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        return self.placed - len(self.calls)


def read_calls(caller_log: str, destination_log: str) -> tuple[Call, ...]:
    """The calls that both ends saw to their end; a truncated line counts as a failed call."""
    sent, taken = read_sent(caller_log), read_taken(destination_log)
    return tuple(Call(sent[number], taken[number]) for number in sent if number in taken)


def read_sent(log: str) -> dict[str, Sent]:
    """By the caller's number, from the lines of scenarios/caller.xml."""
    calls = {}
    for number, *fields in map(str.split, log.splitlines()):
        if len(fields) == 10:
            invite, ringing, answer, bye, _ = instants(fields)
            calls[number] = Sent(invite, ringing or None, answer, bye)
    return calls


def read_taken(log: str) -> dict[str, Taken]:
    """By the caller's number, from the lines of scenarios/destination.xml."""
    taken: dict[str, Taken] = {}
    released: dict[str, list[Instant]] = {}
    for word, number, *fields in (line.split() for line in log.splitlines() if line.count(" ") >= 5):
        if word == "took" and len(fields) == 6:
            invite, answer, bye = instants(fields)
            taken[number] = Taken(invite, answer, bye)
        elif word == "lost" and len(fields) == 4:
            released.setdefault(number, []).append(instants(fields)[1])
    return {
        number: Taken(call.invite, call.answer, call.bye, tuple(released.get(number, ())))
        for number, call in taken.items()
    }


def instants(fields: Sequence[str]) -> list[Instant]:
    """The instants of pairs of seconds and microseconds, which SIPp writes."""
    pairs = zip(fields[::2], fields[1::2], strict=True)
    return [float(seconds) + float(micros) / 1e6 for seconds, micros in pairs]


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that this share of the values does not exceed; NaN if there are none."""
    ranked = sorted(values)
    if not ranked:
        return float("nan")
    return ranked[max(ceil(share * len(ranked) - 1e-9), 1) - 1]


def summary(load: Load) -> dict[str, float]:
    """The delays of a load in ms: median and 99th percentile of setup, answer, goodbye and release."""
    figures: dict[str, float] = {"placed": load.placed, "failed": load.failed}
    kinds = {
        "setup": [call.setup for call in load.calls],
        "answer": [call.answer for call in load.calls],
        "goodbye": [call.goodbye for call in load.calls],
        "release": [call.release for call in load.calls if call.release is not None],
    }
    for kind, delays in kinds.items():
        if delays:
            figures[f"{kind}_p50"], figures[f"{kind}_p99"] = quantile(delays, 0.5), quantile(delays, 0.99)
    return figures


def spread(rounds: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Minimum and maximum of each figure over several rounds."""
    names = {name: None for figures in rounds for name in figures}
    by_name = {name: [figures[name] for figures in rounds if name in figures] for name in names}
    return {name: (min(values), max(values)) for name, values in by_name.items()}


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Median of each figure over several rounds; calls and failures are added up."""
    names = {name: None for figures in rounds for name in figures}
    by_name = {name: [figures[name] for figures in rounds if name in figures] for name in names}
    return {
        name: (sum if name in {"placed", "failed"} else median)(values) for name, values in by_name.items()
    }
