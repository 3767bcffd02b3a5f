"""What came of handing a mail over: the only words SMTP has for the rest of the mailer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """`server` is its host name, `reply` its last words or ours about it, `tls` as in `mailer.tls.Level`."""

    server: str
    reply: str
    tls: str


@dataclass(frozen=True, slots=True)
class Accepted(Answer):
    """It answers for the mail now. `final`: it is the recipient's own, so that no bounce can follow."""

    final: bool = False


@dataclass(frozen=True, slots=True)
class Deferred(Answer):
    """Not now. `unsure`: the mail was sent, its answer never came; `alarm`: a person should look, for waiting
    will not mend it."""

    unsure: bool = False
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Refused(Answer):
    """Not this mail, not for this recipient. `sure`: asking again is of no use."""

    sure: bool = False


@dataclass(frozen=True, slots=True)
class TooBig(Answer):
    """A smaller one might be taken."""


DeliveryResult = Accepted | Deferred | Refused | TooBig


def one_line(text: str) -> str:
    """What a server said, fit for a log, a database and a terminal: printable, on one line, bounded."""
    plain = text.encode("utf-8", "backslashreplace").decode()
    return " ".join("".join(char if char.isprintable() else " " for char in plain).split())[:500]
