"""The position of an export: each record is exported once, however late it was stored.

A record is stored some time after its call has ended, after an outage much later, and a corrected one is
stored again. So the position is neither an instant nor a number of a sequence, but a transaction: below
`pg_snapshot_xmin` no transaction is open, so nothing can appear there any more.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import asyncpg

from journal.disk import sync_directory

# A transaction's number means something in one database only.
NOW = """
SELECT system_identifier || '/' || oid AS database, pg_snapshot_xmin(pg_current_snapshot())::text AS position
FROM pg_control_system(), pg_database WHERE datname = current_database()
"""


class CursorUnusable(Exception):
    """This cursor cannot be continued; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ExportCursor:
    """Every record that was stored before `position` has been exported. `database` names the database."""

    database: str
    position: str

    @classmethod
    async def now(cls, con: asyncpg.Connection) -> Self:
        """The position up to which every record can be seen."""
        row = await con.fetchrow(NOW)
        if row is None:
            raise AssertionError
        return cls(row["database"], row["position"])

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """None if there is no such file yet. Raises CursorUnusable, OSError."""
        try:
            values = json.loads(file.read_text("utf-8"))
            cursor = cls(str(values["database"]), str(int(values["position"])))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise CursorUnusable(f"{file} is not a cursor: remove it, to begin with all records") from None
        return cursor

    def check(self, now: "ExportCursor") -> None:
        """Raises CursorUnusable if it is of another database, such as the one before a restore."""
        if self.database != now.database:
            raise CursorUnusable(
                "the cursor belongs to another database, or to the one before a restore: remove the file, "
                "and begin again with --ended-since"
            )

    def write(self, file: Path) -> None:
        """Replace the file durably. Raises OSError."""
        draft = file.with_name(f"{file.name}.draft")
        with draft.open("w", encoding="utf-8") as out:
            json.dump(asdict(self), out)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
        sync_directory(file.parent)
