"""The result of handing a mail over. The rest of the mailer knows of SMTP only these results."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """`server`: its host name. `reply`: its last reply, or our description. `tls`: see `mailer.tls.Level`."""

    server: str
    reply: str
    tls: str


@dataclass(frozen=True, slots=True)
class Accepted(Answer):
    """The server has taken over the mail. `final`: it is the recipient's own, so no bounce can follow."""

    final: bool = False


@dataclass(frozen=True, slots=True)
class Deferred(Answer):
    """Try again later. `unsure`: the mail was sent, but no reply arrived. `alarm`: an operator has to act,
    because waiting will not help."""

    unsure: bool = False
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Refused(Answer):
    """The server rejected this mail or its recipient. `sure`: a second attempt cannot succeed."""

    sure: bool = False


@dataclass(frozen=True, slots=True)
class TooBig(Answer):
    """The server might accept a smaller mail."""


DeliveryResult = Accepted | Deferred | Refused | TooBig


def one_line(text: str) -> str:
    """A server's reply made safe for log, database and terminal: printable, on one line, bounded."""
    plain = text.encode("utf-8", "backslashreplace").decode()
    return " ".join("".join(char if char.isprintable() else " " for char in plain).split())[:500]
