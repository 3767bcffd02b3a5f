"""callengine reconcile: compare CEL, journal and call records, and explain each difference."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.exit_status import ExitStatus, end_with
from cli.options import format_option, settings_option, since_option, state_option, until_option

if TYPE_CHECKING:
    from config.settings import Settings
    from storage.reconciliation import Difference, Reconciliation

DAY = timedelta(days=1)
LEEWAY = timedelta(minutes=5)


@click.command()
@since_option("Default: a day before --until.")
@until_option("Default: five minutes ago, since later calls are on their way.")
@format_option("text", "json")
@state_option()
@settings_option()
def command(
    *,
    since: datetime | None,
    until: datetime | None,
    form: str,
    state: Path | None,
    settings: Path | None,
) -> None:
    """Compare CEL, journal and call records of the calls that began in a period.

    Print a line for each difference, with its cause and remedy; the exit status is 1 if there is any. Run it
    on Asterisk's host: CEL and journal are files there, stored for 72 hours. It changes nothing.

    \b
    no record    CEL has a call without a record: it is not billed
    no CEL       there is a record of a call that CEL does not have
    duration     from answer to end, CEL and record differ by more than 50 ms
    dead letter  the call could not become a complete record; callengine audit lists it too

    Not a difference: a call that the dialplan refused (limits, loops), a live call, a call during which the
    clock was set, and one from before the oldest line of CEL.
    """
    from cli.database import database_errors
    from cli.options import settings_in

    values = settings_in(settings, state)
    end = until or datetime.now(UTC) - LEEWAY
    with database_errors():
        result = asyncio.run(reconciled(values, since or end - DAY, end))
    click.echo(as_json(result) if form == "json" else as_text(result))
    end_with(ExitStatus.FAILED if result.differences else ExitStatus.OK)


async def reconciled(settings: "Settings", since: datetime, until: datetime) -> "Reconciliation":
    """Raises ClickException where CEL or journal cannot be read."""
    from cli.database import connected
    from storage.reconciliation import Sources, reconcile

    sources = Sources(settings.node, settings.asterisk.cel, settings.journal_dir)
    for folder, setting in ((sources.cel.parent, "asterisk.cel"), (sources.journal, "state")):
        if not folder.is_dir():
            raise click.ClickException(
                f"{folder} is not there: {setting} in the settings names it; run this on Asterisk's host"
            )
    async with connected(settings.database.get_secret_value()) as con:
        try:
            return await reconcile(con, sources, since, until)
        except PermissionError as error:
            raise click.ClickException(
                f"{error.filename} cannot be read: run this as user callengine"
            ) from None


def as_text(result: "Reconciliation") -> str:
    count = len(result.differences)
    summary = f"{result.cel} calls in CEL, {result.records} records, "
    lines = [str(difference) for difference in result.differences]
    return "\n".join([*lines, f"{summary}{count or 'no'} difference{'' if count == 1 else 's'}"])


def as_json(result: "Reconciliation") -> str:
    differences = [as_object(difference) for difference in result.differences]
    return json.dumps({"cel": result.cel, "records": result.records, "differences": differences}, indent=2)


def as_object(difference: "Difference") -> dict[str, str]:
    return {
        "kind": difference.kind.value,
        "call_id": difference.call_id,
        "number": difference.number,
        "began": difference.began.isoformat(),
        "what": difference.what,
        "why": difference.why,
    }
