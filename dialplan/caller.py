"""The caller: the only value for caller identity, made in one place when a call comes in."""

import re
from dataclasses import dataclass
from enum import StrEnum

# What networks send instead of a number that must not be shown (RFC 3323 4.1.1.3, and common practice).
NAMELESS = frozenset({"", "anonymous", "restricted", "unavailable", "unknown", "withheld", "private"})


class Presentation(StrEnum):
    """Whether the caller's number may be shown (RFC 3323; Q.951 calling line identification restriction)."""

    SHOWN = "shown"
    WITHHELD = "withheld"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Caller:
    """A checked number that may be shown, or none: the number of a withheld caller is dropped here."""

    presentation: Presentation
    number: str | None = None

    @property
    def withheld(self) -> bool:
        return self.presentation is Presentation.WITHHELD

    @property
    def masked(self) -> str:
        """For logs: `+3247*****12`, or why there is no number."""
        if self.number is None:
            return self.presentation.value
        shown = self.number[:5] if len(self.number) > 9 else self.number[:2]
        return f"{shown}{'*' * (len(self.number) - len(shown) - 2)}{self.number[-2:]}"


WITHHELD = Caller(Presentation.WITHHELD)
UNKNOWN = Caller(Presentation.UNKNOWN)


def identify(number: str, presentation: str, privacy: str) -> Caller:
    """Make the caller from three values of the network.

    `number`: as received (untrusted text). `presentation`: Asterisk's `CALLERID(pres)`. `privacy`: the
    letters of all `Privacy` headers (RFC 3323 4.2). When in doubt the caller is withheld: a number that was
    shown by mistake cannot be hidden again.
    """
    if presentation.startswith(("prohib", "unavailable")) or set(re.findall("[a-z]+", privacy.lower())) - {
        "none"
    }:
        return WITHHELD
    if number.strip().lower() in NAMELESS:
        return WITHHELD
    if not re.fullmatch(r"\+?[0-9]{1,15}", number, re.ASCII):
        return UNKNOWN
    return Caller(Presentation.SHOWN, number)
