"""Who had what to do with a recording: lines that are only added to, and outlive it."""

import os
import pwd
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg

from storage.calls import FETCHED

NOBODY_LOGGED_IN = 2**32 - 1  # what the kernel says of a process that no login has led to
LOGIN = Path("/proc/self/loginuid")

ADD = "INSERT INTO access (audio_id, what, operator, host) VALUES ($1, $2, $3, $4)"
FIND = """
SELECT at, what, audio_id AS recording_id, owner, operator, host FROM access LEFT JOIN audio USING (audio_id)
WHERE ($1::text IS NULL OR audio_id = $1)
  AND ($2::timestamptz IS NULL OR at >= $2)
  AND ($3::timestamptz IS NULL OR at < $3)
ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class Looked:
    """Which lines: of this recording, of that time; None asks nothing."""

    recording: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def note(con: asyncpg.Connection, audio_id: str, what: str) -> None:
    """Write who does this: fetch, destroy, hold or release; in the caller's transaction, if there is one."""
    await con.execute(ADD, audio_id, what, operator(), socket.gethostname())


async def find(con: asyncpg.Connection, looked: Looked) -> AsyncGenerator[asyncpg.Record]:
    """Rows as FIND has them, oldest first, as of one moment."""
    async with con.transaction(isolation="repeatable_read", readonly=True):
        cursor = await con.cursor(FIND, looked.recording, looked.since, looked.until)
        while rows := await cursor.fetch(FETCHED):
            for row in rows:
                yield row


def operator() -> str:
    """Who runs this command: `alice`, or `alice as root`: sudo and su do not change who has logged in."""
    user, logged_in = os.getuid(), login()
    return name(user) if logged_in in (None, user) else f"{name(logged_in)} as {name(user)}"


def login() -> int | None:
    """The user id that this session began with, which the kernel keeps; None when it began with no login."""
    try:
        told = int(LOGIN.read_text())
    except (OSError, ValueError):
        return None
    return None if told == NOBODY_LOGGED_IN else told


def name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
