"""A finding of the doctor: what is wrong, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """An error breaks a promise, or will; a warning does not yet."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """`check`: the name of the check, filled in by the examination."""

    what: str
    remedy: str
    level: Level = Level.ERROR
    check: str = ""

    def __str__(self) -> str:
        return f"{self.level}: {self.check}: {self.what}; {self.remedy}"


def warning(what: str, remedy: str) -> Finding:
    return Finding(what, remedy, Level.WARNING)
