"""callengine recordings: list, fetch, destroy, hold and release recorded conversations; list accesses."""

import asyncio
import csv
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from cli.exit_status import ExitStatus, end_with
from cli.options import (
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

    from config.settings import Settings

COLUMNS = (
    "recording_id",
    "call_id",
    "number",
    "owner",
    "began",
    "seconds",
    "state",
    "why",
    "format",
    "destroy_after",
    "hold",
    "review_on",
    "short_by",
    "one_way",
    "silent",
    "clipping",
)

ACCESS_COLUMNS = ("at", "what", "recording_id", "owner", "operator", "host")


class Day(click.ParamType[date]):
    """A day in the future."""

    name = "DATE"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            day = value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is not a day; write 2027-03-31")
        if day <= datetime.now().astimezone().date():
            self.fail(f"{value} is not in the future; write a later day")
        return day


@click.group()
def command() -> None:
    """List, fetch, destroy, hold and release recordings.

    A recording is destroyed when its owner's retention ends, counted from the end of its call, unless it is
    under a legal hold. callengine audit proves what was destroyed, callengine recordings accesses who fetched
    what.
    """


@command.command("list")
@state_option()
@settings_option()
@owner_option()
@number_option()
@since_option()
@until_option()
@click.option("--all", "gone", is_flag=True, help="Include destroyed recordings.")
@format_option("csv", "json")
def list_(*, form: str, state: Path | None, settings: Path | None, **filters: Any) -> None:
    """List recordings, oldest first; as JSON with their evidence: announcement, answer, pauses.

    `short_by`: the seconds that are missing. `one_way`: the only audible side.
    """
    from cli.dialled import recorded_number
    from storage.recordings import Asked, find

    if number := filters["number"]:
        filters["number"] = recorded_number(number, settings, state)
    run(settings, state, lambda _, con: export(find(con, Asked(**filters)), COLUMNS, form, sys.stdout))


@command.command()
@state_option()
@settings_option()
@click.argument("recording")
@click.option("--output", type=click.Path(path_type=Path, allow_dash=True),
              help="A new file; - is standard output. Default: ID.FORMAT.")  # fmt: skip
def fetch(*, recording: str, output: Path | None, state: Path | None, settings: Path | None) -> None:
    """Write a recording to a file: the caller on the left, the destination on the right.

    Every fetch is logged. callengine has no record of the file: the person who fetched it has to destroy it.
    """
    from cli.fetching import save

    run(settings, state, lambda settings, con: save(settings, con, recording, output))


@command.command()
@state_option()
@settings_option()
@click.argument("recordings", nargs=-1, required=True)
def destroy(*, recordings: tuple[str, ...], state: Path | None, settings: Path | None) -> None:
    """End the retention of recordings now: the worker destroys them within seconds."""
    from storage.recordings import destroy

    run(settings, state, lambda _, con: each(con, recordings, destroy, "will be destroyed"))


@command.command()
@state_option()
@settings_option()
@click.argument("recordings", nargs=-1, required=True)
@click.option("--reason", required=True, help="The reason: a dispute, a court order.")
@click.option("--reference", required=True, help="The file number, which lists show.")
@click.option("--by", "names", required=True, multiple=True, metavar="NAME",
              help="Who decided: two persons, --by NAME --by NAME.")  # fmt: skip
@click.option("--review", type=Day(), required=True, help="When to review the hold: 2027-03-31.")
def hold(
    *,
    recordings: tuple[str, ...],
    reason: str,
    reference: str,
    names: tuple[str, ...],
    review: date,
    state: Path | None,
    settings: Path | None,
) -> None:
    """Keep recordings beyond their retention, until they are released.

    callengine audit reports when a review is due.
    """
    from storage.recordings import Hold, hold

    persons = [name.strip() for name in names]
    if len(persons) != 2 or len({name.casefold() for name in persons} - {""}) != 2:
        raise click.BadParameter("write the names of two persons: --by NAME --by NAME")
    if not (reason.strip() and reference.strip()):
        raise click.BadParameter("a hold needs a reason and a reference")
    first, second = persons
    why = Hold(reason, reference, first, second, review)
    run(settings, state, lambda _, con: each(con, recordings, partial(hold, why=why), "is held"))


@command.command()
@state_option()
@settings_option()
@click.argument("recordings", nargs=-1, required=True)
@click.option("--by", required=True, metavar="NAME", help="Who decided.")
def release(*, recordings: tuple[str, ...], by: str, state: Path | None, settings: Path | None) -> None:
    """End the legal hold of recordings: after their retention, they are destroyed within seconds."""
    from storage.recordings import release

    run(settings, state, lambda _, con: each(con, recordings, partial(release, by=by), "is released"))


@command.command()
@state_option()
@settings_option()
@click.argument("recording", required=False)
@since_option()
@until_option()
@format_option("csv", "json")
def accesses(*, form: str, state: Path | None, settings: Path | None, **filters: Any) -> None:
    """List who fetched, destroyed, held or released recordings, or one RECORDING, and when; oldest first."""
    from storage.access import Looked, find

    run(
        settings, state, lambda _, con: export(find(con, Looked(**filters)), ACCESS_COLUMNS, form, sys.stdout)
    )


Verb = Callable[..., Awaitable[None]]  # of a connection and a recording
Work = Callable[["Settings", "asyncpg.Connection"], Awaitable[None]]


def run(file: Path | None, state: Path | None, work: Work) -> None:
    """Run the work with the settings and a connection. Raises ClickException for errors of either."""
    from cli.database import database_errors
    from cli.options import settings_in
    from process.no_core import forbid_core_dumps

    forbid_core_dumps()
    settings = settings_in(file, state)
    with database_errors():
        asyncio.run(with_connection(settings, work))


async def with_connection(settings: "Settings", work: Work) -> None:
    from cli.database import connected

    async with connected(settings.database.get_secret_value()) as con:
        await work(settings, con)


async def each(con: "asyncpg.Connection", recordings: tuple[str, ...], verb: Verb, done: str) -> None:
    """Apply the verb to each recording; report refusals and then exit with 1."""
    from storage.recordings import Refused

    refused = False
    for recording in recordings:
        try:
            await verb(con, recording)
            click.echo(f"{recording} {done}")
        except Refused as error:
            refused = True
            click.echo(f"Error: {error}", err=True)
    if refused:
        end_with(ExitStatus.FAILED)


async def export(
    records: "AsyncGenerator[asyncpg.Record]", columns: Sequence[str], form: str, out: TextIO
) -> None:
    """Write these rows; as JSON with their evidence, if they have any."""
    from storage.export import as_cell, as_json

    table = csv.writer(out, lineterminator="\n")
    if form == "csv":
        table.writerow(columns)
    objects = []
    async with aclosing(records) as rows:
        async for row in rows:
            if form == "csv":
                table.writerow([as_cell(plain(row[column])) for column in columns])
            else:
                values = {column: as_json(plain(row[column])) for column in columns}
                objects.append(values | evidence_of(row))
    if form == "json":
        out.write(json.dumps(objects, indent=1) + "\n")


def evidence_of(row: "asyncpg.Record") -> dict[str, Any]:
    evidence = row.get("evidence")
    return {"evidence": json.loads(evidence) if evidence else None} if "evidence" in row else {}


def plain(value: Any) -> Any:
    """The value as a type that spreadsheets and JSON have: UUIDs and days as text, decimals as durations."""
    from datetime import timedelta
    from decimal import Decimal

    if isinstance(value, Decimal):
        return timedelta(seconds=float(value))
    is_plain = value is None or isinstance(value, str | bool | int | datetime)
    return value if is_plain else str(value)
