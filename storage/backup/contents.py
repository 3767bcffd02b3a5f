"""What a backup contains of the database, in the order in which it is restored."""

# Every table except those left out below, and those of the schema `keys`: keys are wrapped anew.
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
    "erasure",
    "erased_call",
    "erased_journal",
    "erasure_certificate",
    "disclosure",
    "disclosure_number",
    "disclosure_export",
    "api_token",
    "portal_lock",
    "owner_change",
    "owner_notice",
    "owner_switch",
    "passkey",
)
# The manifest has the migrations; people log in again, and ask again for a link that confirms an address.
LEFT_OUT = frozenset(
    {"backup", "migration", "owner_address", "passkey_challenge", "portal_login", "portal_session"}
)


def member_of(table: str) -> str:
    """The name of its member in the file."""
    return f"{table}.copy"
