"""The access log: who fetched, destroyed, held, released or retried a recording or message.

Lines are only added, and outlive the audio. The functions that give out audio or make a decision add them
(EncryptedStore.fetch, storage/recordings.py, mailer/overview.py), so that no command can forget to.
"""

import os
import pwd
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import asyncpg

from storage.rows import rows_of

NOBODY_LOGGED_IN = 2**32 - 1  # the kernel's login uid of a process that no login has started
LOGIN = Path("/proc/self/loginuid")

ADD = "INSERT INTO access (audio_id, what, operator, host) VALUES ($1, $2, $3, $4)"
FIND = """
SELECT at, what, audio_id AS recording_id, coalesce(audio.owner, message.owner) AS owner, operator, host
FROM access
LEFT JOIN audio USING (audio_id)
LEFT JOIN message ON message_id = audio_id
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


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, and on which host."""

    operator: str
    host: str


@dataclass(frozen=True, slots=True)
class Looked:
    """Which lines: of this recording or message, of that time; None does not restrict."""

    recording: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def add(con: asyncpg.Connection, audio_id: str, what: Access, actor: Actor | None = None) -> None:
    """Add a line; in the caller's transaction, if there is one. `actor` None: who runs this process."""
    actor = actor or this_process()
    await con.execute(ADD, audio_id, what, actor.operator, actor.host)


def find(con: asyncpg.Connection, looked: Looked) -> AsyncGenerator[asyncpg.Record]:
    """The rows of FIND, oldest first, as of one moment."""
    return rows_of(con, FIND, looked.recording, looked.since, looked.until)


def this_process() -> Actor:
    return Actor(operator(), socket.gethostname())


def operator() -> str:
    """Who runs this command: `alice`, or `alice as root`: sudo and su do not change the login user."""
    user, logged_in = os.getuid(), login()
    return name(user) if logged_in in (None, user) else f"{name(logged_in)} as {name(user)}"


def login() -> int | None:
    """The user id that logged in to this session, from the kernel; None when no login started it."""
    try:
        user = int(LOGIN.read_text())
    except (OSError, ValueError):
        return None
    return None if user == NOBODY_LOGGED_IN else user


def name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
