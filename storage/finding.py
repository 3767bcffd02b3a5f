"""A finding of the audit, and the rules whose rows are findings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind`: chain, kept, missing, orphan, overdue, waiting, held, endless, dead letter, residue,
    erasure, disclosure, backup.
    """

    kind: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A query whose rows are findings; `{}` in `what` is the first column of the row."""

    kind: str
    query: str
    what: str
    remedy: str
