"""The access log: who fetched, heard, destroyed, held, released, retried or exported what.

Lines are only added, and outlive the audio. The functions that give out audio or make a decision add them
(EncryptedStore.fetch, storage/recordings.py, mailer/overview.py), so that no command can forget to. The
database adds the owner whose audio it is.
"""

import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import asyncpg

from process.operators import operator
from storage.rows import rows_of

ADD = """
INSERT INTO access (audio_id, what, operator, host, actor, owner, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
FIND = """
SELECT at, what, audio_id AS recording_id, owner, operator, host, actor, detail
FROM access
WHERE ($1::text IS NULL OR audio_id = $1)
  AND ($2::timestamptz IS NULL OR at >= $2)
  AND ($3::timestamptz IS NULL OR at < $3)
ORDER BY seq
"""


class Access(StrEnum):
    """What was done."""

    FETCH = "fetch"
    DESTROY = "destroy"
    HOLD = "hold"
    RELEASE = "release"
    RETRY = "retry"
    LOGIN = "login"
    LISTEN = "listen"
    DOWNLOAD = "download"
    EXPORT = "export"
    CHANGE = "change"
    DISCLOSE = "disclose"
    FORGET = "forget"
    ANONYMISE = "anonymise"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, and on which host. `kind`: operator, owner or authority."""

    operator: str
    host: str
    kind: str = "operator"


@dataclass(frozen=True, slots=True)
class Looked:
    """Which lines: of this recording or message, of that time; None does not restrict."""

    recording: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def add(
    con: asyncpg.Connection,
    audio_id: str | None,
    what: Access,
    actor: Actor | None = None,
    *,
    owner: str | None = None,
    detail: str | None = None,
) -> None:
    """Add a line; in the caller's transaction, if there is one. `actor` None: who runs this process.

    `owner` None: the owner of the audio. `detail`: what exactly, in words without a caller's number.
    """
    actor = actor or this_process()
    await con.execute(ADD, audio_id, what, actor.operator, actor.host, actor.kind, owner, detail)


def find(con: asyncpg.Connection, looked: Looked) -> AsyncGenerator[asyncpg.Record]:
    """The rows of FIND, oldest first, as of one moment."""
    return rows_of(con, FIND, looked.recording, looked.since, looked.until)


def this_process() -> Actor:
    return Actor(operator(), socket.gethostname())
