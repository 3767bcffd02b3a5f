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

from cli.options import (
    database_option,
    format_option,
    number_option,
    settings_option,
    since_option,
    state_option,
    until_option,
)

if TYPE_CHECKING:
    from storage.records import CallRecord


@dataclass(frozen=True, slots=True)
class Filter:
    """Calls to this number that began at or after `since` and before `until`; None matches all."""

    number: str | None
    since: datetime | None
    until: datetime | None


@click.command()
@number_option()
@since_option()
@until_option()
@format_option("csv", "json")
@database_option()
@state_option()
@settings_option()
def command(
    *,
    number: str | None,
    since: datetime | None,
    until: datetime | None,
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
    """
    from cli.database import database_errors, url_of

    with database_errors():
        url = url_of(database, settings, state)
        asyncio.run(export(url, Filter(number, since, until), form, sys.stdout))


async def export(url: str, wanted: Filter, form: str, out: TextIO) -> None:
    """Write the records to `out` as they arrive: a million take no more memory than five hundred."""
    from cli.database import connected
    from storage.calls import find

    async with (
        connected(url) as con,
        aclosing(find(con, wanted.number, wanted.since, wanted.until)) as records,
    ):
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
    separator = "\n"
    async for record in records:
        out.write(separator + json.dumps(as_object(record)))
        separator = ",\n"
    out.write("\n]\n")
