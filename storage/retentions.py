"""Owners' retentions: what was shortened applies to recordings that exist already."""

from collections.abc import Mapping
from datetime import timedelta

import asyncpg

STORE = """
INSERT INTO retention (node, owner, keep_seconds) SELECT $1, * FROM unnest($2::text[], $3::bigint[])
ON CONFLICT (node, owner) DO UPDATE SET
    keep_seconds = EXCLUDED.keep_seconds,
    shortened_at = CASE WHEN EXCLUDED.keep_seconds < retention.keep_seconds THEN now() END
WHERE retention.keep_seconds <> EXCLUDED.keep_seconds
"""

# For two days, because a call that began before may last 12 h, and be drained even later.
SHORTEN = """
UPDATE audio SET
    destroy_after = recording.ended + interval '1 second' * retention.keep_seconds,
    reason = 'deadline', next_at = least(next_at, now())
FROM recording, retention
WHERE recording.audio_id = audio.audio_id AND retention.owner = audio.owner AND retention.node = $1
  AND retention.shortened_at > now() - interval '2 days' AND audio.began < retention.shortened_at
  AND audio.kind = 'recording' AND audio.state IN ('recorded', 'stored')
  AND destroy_after > recording.ended + interval '1 second' * retention.keep_seconds
RETURNING audio.audio_id
"""


async def store(con: asyncpg.Connection, node: str, retentions: Mapping[str, timedelta]) -> None:
    """Store the retention of each owner as it is now on this node."""
    seconds = [int(retention.total_seconds()) for retention in retentions.values()]
    await con.execute(STORE, node, list(retentions), seconds)


async def shorten(con: asyncpg.Connection, node: str) -> list[str]:
    """Apply shortened retentions to recordings that exist already; return the ids of those it changed.

    A lengthened retention applies only to later recordings.
    """
    return [row["audio_id"] for row in await con.fetch(SHORTEN, node)]
