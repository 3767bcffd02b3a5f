"""What an audit finds, and how it asks the database."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind`: chain, kept, missing, orphan, overdue, waiting, held, endless, dead letter or residue."""

    kind: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A query whose rows are findings; `{}` in `what` is their first column."""

    kind: str
    query: str
    what: str
    remedy: str
