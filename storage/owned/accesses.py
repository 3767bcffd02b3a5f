"""Who saw or heard what of an owner, newest first."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from storage.owned.calls import LONGEST_PAGE

PAGE = """
SELECT seq, at, what, actor, operator, audio_id, detail FROM access
WHERE owner = $1
  AND ($2::text IS NULL OR audio_id = $2)
  AND ($3::bigint IS NULL OR seq < $3)
ORDER BY seq DESC
LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class AccessView:
    """One line. `actor`: operator, owner or authority. `who`: a login; `audio_id`: empty if it was none."""

    seq: int
    at: datetime
    what: str
    actor: str
    who: str
    audio_id: str
    detail: str


async def page(
    con: asyncpg.Connection, owner: str, after: int | None, size: int, *, audio_id: str | None = None
) -> tuple[list[AccessView], int | None]:
    """The next lines, at most `size`, of all or of one audio; and where the page after them begins."""
    size = min(size, LONGEST_PAGE)
    rows = await con.fetch(PAGE, owner, audio_id, after, size + 1)
    lines = [_view(row) for row in rows[:size]]
    return lines, lines[-1].seq if len(rows) > size else None


def _view(row: asyncpg.Record) -> AccessView:
    return AccessView(
        seq=row["seq"],
        at=row["at"],
        what=row["what"],
        actor=row["actor"],
        who=row["operator"],
        audio_id=row["audio_id"] or "",
        detail=row["detail"] or "",
    )
