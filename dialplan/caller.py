"""Who calls: the one value that caller identity becomes, made in one place, the moment a call comes in."""

import re
from dataclasses import dataclass
from enum import StrEnum

# What networks write in place of a number that is not to be shown (RFC 3323 4.1.1.3, carriers' habit).
NAMELESS = frozenset({"", "anonymous", "restricted", "unavailable", "unknown", "withheld", "private"})


class Presentation(StrEnum):
    """Whether the caller's number may be shown (RFC 3323; Q.951 calling line identification restriction)."""

    SHOWN = "shown"
    WITHHELD = "withheld"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Caller:
    """A checked number that may be shown, or none: a withheld caller's number exists nowhere behind this."""

    presentation: Presentation
    number: str | None = None

    @property
    def withheld(self) -> bool:
        return self.presentation is Presentation.WITHHELD

    @property
    def masked(self) -> str:
        """For logs: `+3247*****12`, or the word for why there is no number."""
        if self.number is None:
            return self.presentation.value
        shown = self.number[:5] if len(self.number) > 9 else self.number[:2]
        return f"{shown}{'*' * (len(self.number) - len(shown) - 2)}{self.number[-2:]}"


WITHHELD = Caller(Presentation.WITHHELD)
UNKNOWN = Caller(Presentation.UNKNOWN)


def identify(number: str, presentation: str, privacy: str) -> Caller:
    """The caller, from the three things the network says.

    `number` as received (attacker's text), `presentation` as Asterisk's `CALLERID(pres)` words it, `privacy`
    the letters of all `Privacy` headers (RFC 3323 4.2). When in doubt the caller is withheld: showing a
    number that should be hidden cannot be undone.
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
