"""Why calls failed: what their callers saw last, from the logs that SIPp writes at both ends."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.calls import Failure, Instant, instants

CALLER = "+32470000{number}"  # scenarios/caller.xml
MOST_BYTES = 8 << 20  # of a log of errors: SIPp reports each retransmission of an unexpected message
ERROR = re.compile(
    r"^\S+\t\S+\t(?P<at>[0-9.]+): (?P<text>.*Call-I[dD]:? '?(?P<number>\d+)-\d+@.*)", re.MULTILINE
)
UNEXPECTED = re.compile(r"while (?P<when>\w+).*\(index \d+\), received '(?P<line>[^']*)")
TIMEOUT = re.compile(r"(?P<what>receive|send) timeout on message \w+:(?P<index>\d+)")
# The messages of scenarios/caller.xml by their index: what SIPp had received last when it waited for one.
LAST = {2: "", 3: "100", 4: "180", 5: "183"}
ACK = 6
COUNTED = re.compile(r"^\d+_(?P<message>\w+)_Retrans$")


@dataclass(frozen=True, slots=True)
class Logs:
    """What SIPp wrote at one end: the scenario's lines, its errors, and the counters of messages."""

    lines: str
    errors: str = ""
    counts: str = ""

    @classmethod
    def of(cls, folder: Path, name: str) -> "Logs":
        counts = max(folder.glob(f"{name}_*_counts.csv"), default=None)
        return cls(
            (folder / f"{name}.log").read_text(),
            beginning_of(folder / f"{name}.errors"),
            counts.read_text() if counts else "",
        )


def beginning_of(file: Path) -> str:
    if not file.exists():
        return ""
    with file.open("rb") as opened:
        return opened.read(MOST_BYTES).decode("utf-8", "replace")


def read_failures(
    placed: int, succeeded: Collection[str], caller: Logs, destination: Logs, reply_seconds: float
) -> tuple[Failure, ...]:
    """Each of the `placed` calls that is not among those that succeeded, with what both ends know of it."""
    began, rang = read_invites("began", caller.lines), read_invites("rang", destination.lines)
    errors = dict(read_errors(caller.errors, reply_seconds))
    finished = {line.partition(" ")[0] for line in caller.lines.splitlines()}
    return tuple(
        failure(number, began, rang, errors, finished)
        for number in (CALLER.format(number=n) for n in range(1, placed + 1))
        if number not in succeeded
    )


def failure(
    number: str,
    began: Mapping[str, Instant],
    rang: Mapping[str, Instant],
    errors: Mapping[str, tuple[Instant, str]],
    finished: Collection[str],
) -> Failure:
    invite = began.get(number)
    if invite is None:
        return Failure(number, "SIPp did not place it")
    rang_after = rang[number] - invite if number in rang else None
    if number in errors:
        at, saw = errors[number]
        return Failure(number, saw, at - invite, rang_after, invite)
    saw = (
        "nothing wrong, but the log of one end has no end of it"
        if number in finished
        else "no end while measured"
    )
    return Failure(number, saw, None, rang_after, invite)


def read_invites(word: str, lines: str) -> dict[str, Instant]:
    """The first INVITE by the caller's number, from the lines that begin with that word."""
    invites: dict[str, Instant] = {}
    for fields in map(str.split, lines.splitlines()):
        if len(fields) == 4 and fields[0] == word:
            invites.setdefault(fields[1], instants(fields[2:])[0])
    return invites


def read_errors(text: str, reply_seconds: float) -> Iterator[tuple[str, tuple[Instant, str]]]:
    """By the caller's number: when the call went wrong first, and how; later errors are the consequences."""
    known: set[str] = set()
    for error in ERROR.finditer(text):
        if (number := error["number"]) not in known:
            known.add(number)
            yield CALLER.format(number=number), (float(error["at"]), kind_of(error["text"], reply_seconds))


def kind_of(text: str, reply_seconds: float) -> str:
    """What the caller saw, in words that are the same for all calls that failed in this way."""
    if unexpected := UNEXPECTED.search(text):
        line = unexpected["line"].strip()
        if line.startswith("SIP/2.0 "):
            return line.removeprefix("SIP/2.0 ")
        return f"{line.partition(' ')[0]} of the other side, while {unexpected['when']}"
    if timeout := TIMEOUT.search(text):
        return missing_step(int(timeout["index"]), reply_seconds)
    return re.sub(r"'?\d+-\d+@[^\s',]+'?", "CALL", text)[:120]


def missing_step(index: int, seconds: float) -> str:
    """What did not come within these seconds, by the index of the message that SIPp waited for."""
    if index > ACK:
        return f"no reply to the BYE in {seconds:g} s"
    last = LAST.get(index, "")
    return f"{last}, then no answer in {seconds:g} s" if last else f"no reply to the INVITE in {seconds:g} s"


def read_retransmissions(logs: Mapping[str, Logs]) -> dict[str, int]:
    """By end and message: how often it was retransmitted, of all calls; only what was."""
    counts: dict[str, int] = {}
    for end, written in logs.items():
        rows = [line.split(";") for line in written.counts.splitlines()]
        if len(rows) < 2:
            continue
        for name, count in zip(rows[0], rows[-1], strict=False):
            if (counted := COUNTED.match(name)) and count.isdecimal() and int(count):
                label = f"{counted['message']} at the {end}"
                counts[label] = counts.get(label, 0) + int(count)
    return counts


def kinds_of(failures: Collection[Failure]) -> dict[str, int]:
    """How many calls failed in which way, the most frequent first."""
    return dict(Counter(failure.saw for failure in failures).most_common())
