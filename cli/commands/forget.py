"""callengine forget: erase a caller from records, messages, recordings and journals."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.exit_status import ExitStatus, end_with
from cli.options import format_option, settings_option, state_option

if TYPE_CHECKING:
    from config.settings import Settings
    from storage.erased_number import NumberKeys

PAUSE_SECONDS = 0.5


@click.command()
@click.argument("number", required=False)
@click.option("--reason", help="The reason, with the file number of the request. Not the caller's name.")
@click.option("--status", is_flag=True, help="Show all erasures, and what each waits for.")
@click.option("--wait", is_flag=True, help="End when the certificate is issued.")
@format_option("text", "json")
@state_option()
@settings_option()
def command(
    *,
    number: str | None,
    reason: str | None,
    status: bool,
    wait: bool,
    form: str,
    state: Path | None,
    settings: Path | None,
) -> None:
    """Erase the caller NUMBER (+32470123456; - reads it from standard input).

    Their call records stay, without the number. Their messages and recordings are destroyed. The number goes
    from the journals, and then from the database's files: the worker of each node does so, and issues a
    certificate, which callengine audit verifies. Recordings under a legal hold are kept, with the numbers of
    their calls, and the certificate names them. Calls that come in later are recorded as usual.

    Not erased: mails that owners have received, exported files, lists in the routing folder, backups.
    """
    from cli.caller_number import given_number, number_keys
    from cli.database import database_errors
    from cli.options import settings_in

    values = settings_in(settings, state)
    if status == bool(number):
        raise click.UsageError("write a NUMBER, or --status")
    with database_errors():
        if status:
            asyncio.run(show(values, form))
            return
        if not (reason and reason.strip()):
            raise click.UsageError("write why: --reason 'request 2026-17'")
        caller, keys = given_number(str(number)), number_keys(values)
        asyncio.run(forget(values, keys, caller, reason.strip(), wait=wait, form=form))


async def forget(
    settings: "Settings", keys: "NumberKeys", number: str, reason: str, *, wait: bool, form: str
) -> None:
    from cli.database import connected
    from storage.erasure_request import ask
    from storage.erasure_status import overview

    async with connected(settings.database.get_secret_value()) as con:
        erasure_id = await ask(con, keys.hash(number), keys.seal(number), reason)
        click.echo(f"erasure {erasure_id} has begun; callengine forget --status shows what it waits for")
        while wait:
            (row,) = await overview(con, erasure_id)
            if row["certified"] is not None:
                report([row], form)
                return
            await asyncio.sleep(PAUSE_SECONDS)


async def show(settings: "Settings", form: str) -> None:
    from cli.database import connected
    from storage.erasure_status import overview

    async with connected(settings.database.get_secret_value()) as con:
        rows = await overview(con)
    report(rows, form)
    end_with(ExitStatus.OK)


def report(rows: list[dict[str, Any]], form: str) -> None:
    if form == "json":
        click.echo(json.dumps(rows, indent=1, default=str))
        return
    for row in rows:
        click.echo(line(row))
        for why in row["waits"]:
            click.echo(f"  waits: {why}")


def line(row: dict[str, Any]) -> str:
    """An erasure on one line."""
    state = f"finished {at(row['finished_at'])}" if row["finished_at"] else "under way"
    if row["certified"]:
        state = "certified, but for what is held"
    return (
        f"erasure {row['erasure_id']}: {state}; asked {at(row['asked_at'])} by {row['operator']}, "
        f"{row['reason']}; erased from {row['calls']} calls, {row['messages']} messages, "
        f"{row['dead_letters']} dead letters"
    )


def at(instant: Any) -> str:
    return f"{instant.astimezone():%Y-%m-%d %H:%M:%S}"
