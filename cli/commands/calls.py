"""callengine calls: call records, as CSV or JSON."""

import asyncio
import csv
import json
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from cli.options import (
    Instant,
    database_option,
    format_option,
    number_option,
    owner_option,
    settings_option,
    since_option,
    state_option,
    until_option,
)

if TYPE_CHECKING:
    import asyncpg

    from storage.calls import Selection
    from storage.export_cursor import ExportCursor
    from storage.records import CallRecord

# dialplan.result.Result, and `lost`; not imported, because the help must be quick.
OUTCOMES = (
    "answered", "voicemail", "abandoned", "busy", "no_answer", "unreachable", "rejected", "closed", "failed",
    "lost",
)  # fmt: skip


@click.command()
@number_option()
@since_option()
@until_option()
@click.option("--ended-since", type=Instant(), help="Only calls that ended at this time or later.")
@click.option("--ended-until", type=Instant(), help="Only calls that ended before this time.")
@owner_option()
@click.option("--caller", metavar="NUMBER", help="Only calls of this caller: +3225551234.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only calls with this outcome.")
@click.option("--cursor", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Only records since the export before, whose position this file has.")  # fmt: skip
@format_option("csv", "json")
@database_option()
@state_option()
@settings_option()
def command(
    *,
    number: str | None,
    since: datetime | None,
    until: datetime | None,
    ended_since: datetime | None,
    ended_until: datetime | None,
    owner: str | None,
    caller: str | None,
    outcome: str | None,
    cursor: Path | None,
    form: str,
    database: str | None,
    state: Path | None,
    settings: Path | None,
) -> None:
    """List the records of calls that have ended, oldest first.

    CSV is for spreadsheets: UTF-8, commas, a first line of names, instants in UTC, durations in seconds. No
    cell can be read as a formula: a text that does not begin with a letter or digit has an apostrophe before
    it ('+3270012345); a program removes one leading apostrophe. JSON is for programs: an array of objects
    with the same names and exact texts; with `notice`, the caller notice and party notice of a recording or
    the reason why there is none; and with `legs`, one for each attempt at a destination.

    With --cursor each record is exported once, also one that is stored late, after an outage. The first
    export has all records, or those of --ended-since; each later one those that were stored since. A record
    that was corrected comes again: the last one counts. If a command fails, the next one exports the same
    again.
    """
    from cli.database import database_errors, url_of
    from cli.dialled import recorded_number
    from storage.calls import Selection

    number = number and recorded_number(number, settings, state)
    selection = Selection(number, since, until, ended_since, ended_until, owner, caller, outcome)
    with database_errors():
        url = url_of(database, settings, state)
        asyncio.run(export(url, selection, cursor, form, sys.stdout))


async def export(url: str, selection: "Selection", cursor: Path | None, form: str, out: TextIO) -> None:
    """Write the records to `out` as they arrive: a million take no more memory than five hundred."""
    from cli.database import connected
    from storage.calls import select

    async with connected(url) as con:
        now = None
        if cursor is not None:
            now, before = await positions(con, cursor)
            selection = replace(selection, stored_from=before, stored_before=now.position)
        async with aclosing(select(con, selection)) as records:
            await (write_csv if form == "csv" else write_json)(records, out)
    if cursor is not None and now is not None:
        out.flush()
        now.write(cursor)


async def positions(con: "asyncpg.Connection", file: Path) -> "tuple[ExportCursor, str | None]":
    """The position now, and that of the export before. Raises ClickException."""
    from storage.export_cursor import CursorUnusable, ExportCursor

    try:
        now, before = await ExportCursor.now(con), ExportCursor.read(file)
        if before is not None:
            before.check(now)
    except CursorUnusable as error:
        raise click.ClickException(str(error)) from None
    return now, before.position if before else None


async def write_csv(records: "AsyncIterator[CallRecord]", out: TextIO) -> None:
    from storage.export import COLUMNS, as_cells

    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    async for record in records:
        table.writerow(as_cells(record))


async def write_json(records: "AsyncIterator[CallRecord]", out: TextIO) -> None:
    from storage.export import as_object

    out.write("[")
    separator = "\n"
    async for record in records:
        out.write(separator + json.dumps(as_object(record)))
        separator = ",\n"
    out.write("\n]\n")
