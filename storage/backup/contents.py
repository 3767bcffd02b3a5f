"""What a backup contains of the database, in the order in which it is restored."""

# Every table except `migration`, which the manifest has, `backup`, and those of the schema `keys`: keys are
# wrapped anew.
TABLES = (
    "call",
    "leg",
    "dead_letter",
    "drained",
    "journal",
    "audio",
    "recording",
    "legal_hold",
    "message",
    "outbox",
    "attempt",
    "tls_seen",
    "retention",
    "tombstone",
    "access",
)
LEFT_OUT = frozenset({"backup", "migration"})


def member_of(table: str) -> str:
    """The name of its member in the file."""
    return f"{table}.copy"
