"""An owner's messages, newest first, with what became of each at every address."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from storage.owned.pages import Cursor, rows_of_page

# What values_of() reads; callengine messages (mailer/overview.py) shows the same.
MESSAGES = """
SELECT message.message_id, message.message_id AS audio_id, message.kind, message.call_id, message.owner,
    message.number, message.caller, message.withheld, message.began, message.state, message.why,
    audio.state AS sound, audio.seconds::float8 AS seconds, audio.destroy_after,
    audio.hold IS NOT NULL AS held, tombstone.destroyed_at
FROM message
LEFT JOIN audio ON audio.audio_id = message.message_id
LEFT JOIN tombstone ON tombstone.audio_id = message.message_id
"""
PAGE = f"""{MESSAGES}
WHERE message.owner = $1
  AND ($2::text IS NULL OR message.message_id = $2)
  AND ($3::timestamptz IS NULL OR (message.began, message.message_id) < ($3, $4::text))
ORDER BY message.began DESC, message.message_id DESC
LIMIT $5
"""
RECIPIENTS = """
SELECT message_id, recipient, turn, next_at, attempts, accepted_at, final, refused_at, bounced_at
FROM outbox WHERE message_id = ANY ($1) ORDER BY message_id, turn, recipient
"""


@dataclass(frozen=True, slots=True)
class Recipient:
    """The mail to one address. `state`: waiting, accepted, arrived, refused or bounced."""

    address: str
    state: str
    at: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message. `sound`: the state of its audio, empty for a missed call. `kept_until`: its deadline."""

    message_id: str
    kind: str
    call_id: str
    number: str
    caller: str
    withheld: bool
    began: datetime
    state: str
    why: str
    sound: str
    seconds: float | None
    kept_until: datetime | None
    held: bool
    destroyed: datetime | None
    recipients: tuple[Recipient, ...]
    format: str = "wav"  # in which its audio is stored

    @property
    def audio_id(self) -> str:
        return self.message_id

    @property
    def can_be_heard(self) -> bool:
        return self.sound == "stored"

    @property
    def can_be_sent(self) -> bool:
        """Whether another try or another address makes sense."""
        return self.state in ("waiting", "bounced", "undeliverable")


async def page(
    con: asyncpg.Connection, owner: str, after: Cursor | None, size: int
) -> tuple[list[MessageView], Cursor | None]:
    """The next messages, at most `size`; and where the page after them begins, if there is one."""
    rows, following = await rows_of_page(con, PAGE, owner, after, size)
    return await _views(con, rows), following


async def get(con: asyncpg.Connection, owner: str, message_id: str) -> MessageView | None:
    """One message; None when this owner has no such message."""
    found = await _views(con, await con.fetch(PAGE, owner, message_id, None, None, 1))
    return found[0] if found else None


async def _views(con: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> list[MessageView]:
    recipients: dict[str, list[Recipient]] = defaultdict(list)
    for row in await con.fetch(RECIPIENTS, [row["message_id"] for row in rows]):
        recipients[row["message_id"]].append(_recipient(row))
    return [_view(row, recipients[row["message_id"]]) for row in rows]


def _recipient(row: asyncpg.Record) -> Recipient:
    state = state_of(row)
    at = {"bounced": "bounced_at", "waiting": "next_at", "refused": "refused_at"}.get(state, "accepted_at")
    return Recipient(row["recipient"], state, row[at], row["attempts"])


def state_of(row: asyncpg.Record) -> str:
    """The state of the mail to one recipient: a row of `outbox`."""
    if row["bounced_at"]:
        return "bounced"
    if row["accepted_at"]:
        return "arrived" if row["final"] else "accepted"
    return "refused" if row["refused_at"] else "waiting"


def _view(row: asyncpg.Record, recipients: Sequence[Recipient]) -> MessageView:
    return MessageView(**values_of(row), recipients=tuple(recipients))


def values_of(row: asyncpg.Record) -> dict[str, Any]:
    """What a view of a message has, from a row of MESSAGES."""
    return {
        "message_id": row["message_id"],
        "kind": row["kind"],
        "call_id": str(row["call_id"]),
        "number": row["number"],
        "caller": "" if row["withheld"] else row["caller"] or "",
        "withheld": row["withheld"],
        "began": row["began"],
        "state": row["state"],
        "why": row["why"] or "",
        "sound": row["sound"] or "",
        "seconds": row["seconds"],
        "kept_until": None if row["destroyed_at"] else row["destroy_after"],
        "held": bool(row["held"]),
        "destroyed": row["destroyed_at"],
    }
