"""An owner's recordings, newest first: how long each is kept and why, and what it lacks."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import asyncpg

from storage.owned.pages import Cursor, rows_of_page

PAGE = """
SELECT audio.audio_id, audio.call_id, call.number, call.caller, call.withheld, audio.began,
    audio.seconds::float8 AS seconds, audio.state, audio.why, audio.destroy_after, audio.reason,
    audio.hold IS NOT NULL AS held, legal_hold.review_on, recording.format, recording.keep_seconds,
    recording.short_by::float8 AS short_by, recording.one_way, recording.silent, tombstone.destroyed_at,
    tombstone.reason AS destroyed_for
FROM audio
JOIN recording ON recording.audio_id = audio.audio_id
LEFT JOIN call ON call.call_id = audio.call_id
LEFT JOIN legal_hold ON legal_hold.audio_id = audio.audio_id AND released_at IS NULL
LEFT JOIN tombstone ON tombstone.audio_id = audio.audio_id
WHERE audio.owner = $1 AND audio.kind = 'recording'
  AND ($2::text IS NULL OR audio.audio_id = $2)
  AND ($3::timestamptz IS NULL OR (audio.began, audio.audio_id) < ($3, $4::text))
ORDER BY audio.began DESC, audio.audio_id DESC
LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class RecordingView:
    """One recording. `kept`: the retention under which it was made. `reason`: why it is destroyed then, as in
    its tombstone: deadline, owner, operator. `short_by`: seconds missing. `one_way`: the audible side."""

    audio_id: str
    call_id: str
    number: str
    caller: str
    withheld: bool
    began: datetime
    seconds: float | None
    state: str
    format: str
    kept: timedelta
    destroy_after: datetime
    reason: str
    held: bool
    review_on: date | None
    short_by: float
    one_way: str
    silent: bool
    destroyed: datetime | None

    @property
    def can_be_heard(self) -> bool:
        return self.state == "stored"


async def page(
    con: asyncpg.Connection, owner: str, after: Cursor | None, size: int
) -> tuple[list[RecordingView], Cursor | None]:
    """The next recordings, at most `size`; and where the page after them begins, if there is one."""
    rows, following = await rows_of_page(con, PAGE, owner, after, size)
    return [_view(row) for row in rows], following


async def get(con: asyncpg.Connection, owner: str, audio_id: str) -> RecordingView | None:
    """One recording; None when this owner has no such recording."""
    row = await con.fetchrow(PAGE, owner, audio_id, None, None, 1)
    return _view(row) if row else None


def _view(row: asyncpg.Record) -> RecordingView:
    return RecordingView(
        audio_id=row["audio_id"],
        call_id=str(row["call_id"]),
        number=row["number"] or "",
        caller="" if row["withheld"] else row["caller"] or "",
        withheld=bool(row["withheld"]),
        began=row["began"],
        seconds=row["seconds"],
        state=row["state"],
        format=row["format"],
        kept=timedelta(seconds=row["keep_seconds"]),
        destroy_after=row["destroy_after"],
        reason=row["destroyed_for"] or row["reason"] or "deadline",
        held=row["held"],
        review_on=row["review_on"],
        short_by=row["short_by"] or 0.0,
        one_way=row["one_way"] or "",
        silent=bool(row["silent"]),
        destroyed=row["destroyed_at"],
    )
