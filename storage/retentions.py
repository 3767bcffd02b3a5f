"""Owners' retentions: of recordings, where what was shortened applies to those that exist, and of records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from dialplan.number import Owner

STORE = """
INSERT INTO retention (node, owner, keep_seconds, records_seconds)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[])
ON CONFLICT (node, owner) DO UPDATE SET
    keep_seconds = EXCLUDED.keep_seconds,
    records_seconds = EXCLUDED.records_seconds,
    shortened_at = CASE WHEN EXCLUDED.keep_seconds < retention.keep_seconds THEN now()
        WHEN EXCLUDED.keep_seconds = retention.keep_seconds THEN retention.shortened_at END
WHERE (retention.keep_seconds, retention.records_seconds)
    IS DISTINCT FROM (EXCLUDED.keep_seconds, EXCLUDED.records_seconds)
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


@dataclass(frozen=True, slots=True)
class Retention:
    """How long an owner's recordings are kept, and call records; None: as the settings say."""

    recordings: timedelta
    records: timedelta | None = None


def of(owners: Mapping[str, Owner]) -> dict[str, Retention]:
    """The retentions of these owners."""
    return {name: Retention(owner.keep_recordings, owner.keep_records) for name, owner in owners.items()}


async def store(con: asyncpg.Connection, node: str, retentions: Mapping[str, Retention]) -> None:
    """Store the retentions of each owner as they are now on this node."""
    recordings = [int(each.recordings.total_seconds()) for each in retentions.values()]
    records = [each.records and int(each.records.total_seconds()) for each in retentions.values()]
    await con.execute(STORE, node, list(retentions), recordings, records)


async def shorten(con: asyncpg.Connection, node: str) -> list[str]:
    """Apply shortened retentions to recordings that exist already; return the ids of those it changed.

    A lengthened retention applies only to later recordings.
    """
    return [row["audio_id"] for row in await con.fetch(SHORTEN, node)]
