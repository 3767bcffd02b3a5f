"""callengine calls: call records, as CSV or JSON."""

import asyncio
import csv
import json
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from storage.records import CallRecord


class Instant(click.ParamType[datetime]):
    """An ISO 8601 instant; without a zone, in this machine's."""

    name = "T"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is no instant; write 2026-11-24, 2026-11-24T10:00 or 2026-11-24T10:00Z")
        return instant.astimezone()


@dataclass(frozen=True, slots=True)
class Asked:
    """Which records: of this number, begun at or after `since` and before `until`; None asks nothing."""

    number: str | None
    since: datetime | None
    until: datetime | None


@click.command()
@click.option("--number", metavar="N", help="Only calls to this service number: +3270012345.")
@click.option("--since", type=Instant(), help="Only calls that began then or later.")
@click.option("--until", type=Instant(), help="Only calls that began before then.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.option("--database", metavar="URL", help="The database. Default: that of the settings.")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="The database of the `callengine dev` with this state folder.",
)
@click.option("--settings", "file", type=click.Path(path_type=Path), help="The settings file.")
def command(
    *,
    number: str | None,
    since: datetime | None,
    until: datetime | None,
    form: str,
    database: str | None,
    state: Path | None,
    file: Path | None,
) -> None:
    """Print the records of calls that have ended, oldest first.

    T is 2026-11-24, 2026-11-24T10:00 (in this machine's zone) or 2026-11-24T10:00Z.

    CSV is for spreadsheets: UTF-8, commas, a first line of names, instants in UTC, durations in seconds. No
    cell can be read as a formula: a text that does not begin with a letter or digit has an apostrophe before
    it ('+3270012345); a program takes one leading apostrophe off. JSON is for programs: an array of objects
    with the same names and exact texts; `notice`, how both were told of the recording, or why there is none;
    and `legs`, one for each attempt at a destination.
    """
    from cli.database import told_plainly, url_of

    asked = Asked(number, since, until)
    with told_plainly():
        asyncio.run(export(url_of(database, file, state), asked, form, sys.stdout))


async def export(url: str, asked: Asked, form: str, out: TextIO) -> None:
    """Write the records to `out` as they come: a million of them take no more memory than five hundred."""
    from cli.database import connected
    from storage.calls import find

    async with connected(url) as con, aclosing(find(con, asked.number, asked.since, asked.until)) as records:
        await (write_csv if form == "csv" else write_json)(records, out)


async def write_csv(records: "AsyncIterator[CallRecord]", out: TextIO) -> None:
    from storage.export import COLUMNS, as_cells

    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    async for record in records:
        table.writerow(as_cells(record))


async def write_json(records: "AsyncIterator[CallRecord]", out: TextIO) -> None:
    from storage.export import as_object

    out.write("[")
    comma = "\n"
    async for record in records:
        out.write(comma + json.dumps(as_object(record)))
        comma = ",\n"
    out.write("\n]\n")
