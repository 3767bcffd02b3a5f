"""callengine recordings: list, fetch, destroy, hold and release recorded conversations, and tell who did."""

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

from cli.commands.calls import Instant

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
    """A day to come."""

    name = "DATE"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            day = value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is no day; write 2027-03-31")
        if day <= datetime.now().astimezone().date():
            self.fail(f"{value} is not a day to come")
        return day


def placed(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say whose recordings these are."""
    state = click.Path(file_okay=False, path_type=Path)
    for option in (
        click.option("--state", type=state, help="Those of the `callengine dev` with this state folder."),
        click.option("--settings", "file", type=click.Path(path_type=Path), help="The settings file."),
    ):
        command = option(command)
    return command


@click.group()
def command() -> None:
    """List, fetch, destroy, hold and release recordings.

    A recording is destroyed when its owner's retention ends, counted from the end of its call, unless a legal
    hold keeps it. callengine audit proves what was destroyed, callengine recordings accesses who heard what.
    """


@command.command("list")
@placed
@click.option("--owner", metavar="NAME", help="Only those of this owner.")
@click.option("--number", metavar="N", help="Only of calls to this service number: +3270012345.")
@click.option("--since", type=Instant(), help="Only those that began then or later.")
@click.option("--until", type=Instant(), help="Only those that began before then.")
@click.option("--all", "gone", is_flag=True, help="Those that are destroyed too.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
def list_(*, form: str, state: Path | None, file: Path | None, **asked: Any) -> None:
    """Print recordings, oldest first; as JSON with their evidence: announcement, answer, pauses.

    `short_by` are the seconds missing in it, `one_way` is the only side that is heard in it.
    """
    from storage.recordings import Asked, find

    work(file, state, lambda _, con: export(find(con, Asked(**asked)), COLUMNS, form, sys.stdout))


@command.command()
@placed
@click.argument("recording")
@click.option("--output", type=click.Path(path_type=Path, allow_dash=True),
              help="A file that is not there yet; - is standard output. Default: ID.FORMAT.")  # fmt: skip
def fetch(*, recording: str, output: Path | None, state: Path | None, file: Path | None) -> None:
    """Write a recording to a file: the caller on the left, the destination on the right.

    That you have fetched it is written down. Nothing here knows of that file afterwards: it is destroyed by
    whoever fetched it.
    """
    from cli.fetching import save

    work(file, state, lambda settings, con: save(settings, con, recording, output))


@command.command()
@placed
@click.argument("recordings", nargs=-1, required=True)
def destroy(*, recordings: tuple[str, ...], state: Path | None, file: Path | None) -> None:
    """Let the time of recordings be over now: the worker destroys them within seconds."""
    from storage.recordings import destroy

    work(file, state, lambda _, con: each(con, recordings, destroy, "will be destroyed"))


@command.command()
@placed
@click.argument("recordings", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why: the dispute, the order of a court.")
@click.option("--reference", required=True, help="The file's number, which is shown in lists.")
@click.option("--by", "names", required=True, multiple=True, metavar="NAME",
              help="Who decided it: two persons, --by NAME --by NAME.")  # fmt: skip
@click.option("--review", type=Day(), required=True, help="When it is looked at again: 2027-03-31.")
def hold(
    *,
    recordings: tuple[str, ...],
    reason: str,
    reference: str,
    names: tuple[str, ...],
    review: date,
    state: Path | None,
    file: Path | None,
) -> None:
    """Keep recordings beyond their time, until they are released.

    callengine audit tells when a review is due.
    """
    from storage.recordings import Hold, hold

    told = [name.strip() for name in names]
    if len(told) != 2 or len({name.casefold() for name in told} - {""}) != 2:
        raise click.BadParameter("write the names of two persons: --by NAME --by NAME")
    if not (reason.strip() and reference.strip()):
        raise click.BadParameter("a hold needs a reason and a reference")
    why = Hold(reason, reference, told[0], told[1], review)
    work(file, state, lambda _, con: each(con, recordings, partial(hold, why=why), "is held"))


@command.command()
@placed
@click.argument("recordings", nargs=-1, required=True)
@click.option("--by", required=True, metavar="NAME", help="Who decided it.")
def release(*, recordings: tuple[str, ...], by: str, state: Path | None, file: Path | None) -> None:
    """End the legal hold of recordings: past their time, they are destroyed within seconds."""
    from storage.recordings import release

    work(file, state, lambda _, con: each(con, recordings, partial(release, by=by), "is released"))


@command.command()
@placed
@click.argument("recording", required=False)
@click.option("--since", type=Instant(), help="Only what was done then or later.")
@click.option("--until", type=Instant(), help="Only what was done before then.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
def accesses(*, form: str, state: Path | None, file: Path | None, **looked: Any) -> None:
    """Print who fetched, destroyed, held or released recordings, or one RECORDING, and when; oldest first."""
    from storage.access import Looked, find

    work(file, state, lambda _, con: export(find(con, Looked(**looked)), ACCESS_COLUMNS, form, sys.stdout))


Verb = Callable[..., Awaitable[None]]  # of a connection and a recording
Doing = Callable[["Settings", "asyncpg.Connection"], Awaitable[None]]


def work(file: Path | None, state: Path | None, doing: Doing) -> None:
    """Do it with the settings and a connection; what goes wrong is told in a sentence."""
    from cli.database import settings_in, told_plainly
    from process.no_core import forbid_core_dumps

    forbid_core_dumps()
    settings = settings_in(state / "callengine.toml" if state else file)
    with told_plainly():
        asyncio.run(with_connection(settings, doing))


async def with_connection(settings: "Settings", doing: Doing) -> None:
    from cli.database import connected

    async with connected(settings.database.get_secret_value()) as con:
        await doing(settings, con)


async def each(con: "asyncpg.Connection", recordings: tuple[str, ...], verb: Verb, done: str) -> None:
    """Do it to each of them. Where that is refused, print why; the exit status is then 1."""
    from storage.recordings import Refused

    refused = False
    for recording in recordings:
        try:
            await verb(con, recording)
            click.echo(f"{recording} {done}")
        except Refused as why:
            refused = True
            click.echo(f"Error: {why}", err=True)
    if refused:
        raise SystemExit(1)


async def export(
    found: "AsyncGenerator[asyncpg.Record]", columns: Sequence[str], form: str, out: TextIO
) -> None:
    """Write these rows; as JSON with their evidence, where they have any."""
    from storage.export import as_cell, as_json

    table = csv.writer(out, lineterminator="\n")
    if form == "csv":
        table.writerow(columns)
    told = []
    async with aclosing(found) as rows:
        async for row in rows:
            if form == "csv":
                table.writerow([as_cell(plain(row[column])) for column in columns])
            else:
                told.append({it: as_json(plain(row[it])) for it in columns} | evidence_of(row))
    if form == "json":
        out.write(json.dumps(told, indent=1) + "\n")


def evidence_of(row: "asyncpg.Record") -> dict[str, Any]:
    evidence = row.get("evidence")
    return {"evidence": json.loads(evidence) if evidence else None} if "evidence" in row else {}


def plain(value: Any) -> Any:
    """A cell's value: what a spreadsheet and JSON know of UUIDs, days and decimals."""
    from datetime import timedelta
    from decimal import Decimal

    if isinstance(value, Decimal):
        return timedelta(seconds=float(value))
    known = value is None or isinstance(value, str | bool | int | datetime)
    return value if known else str(value)
