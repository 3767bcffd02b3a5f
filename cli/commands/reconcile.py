"""callengine reconcile: CEL, journal and call records of a period compared, each difference explained."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.commands.calls import Instant

if TYPE_CHECKING:
    from config.settings import Settings
    from storage.reconciliation import Difference, Reconciliation

DAY = timedelta(days=1)
LEEWAY = timedelta(minutes=5)


@click.command()
@click.option(
    "--since", type=Instant(), help="Calls that began then or later. Default: a day before --until."
)
@click.option(
    "--until",
    type=Instant(),
    help="Calls that began before then. Default: five minutes ago, since later ones are on their way.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--settings", "file", type=click.Path(path_type=Path), help="The settings file.")
def command(*, since: datetime | None, until: datetime | None, form: str, file: Path | None) -> None:
    """Compare CEL, journal and call records, and explain each difference.

    Run it on Asterisk's host: CEL and journal are files there, kept for 72 hours. It changes nothing, and
    ends with 1 if there is any difference. T is 2026-11-24, 2026-11-24T10:00 (in this machine's zone) or
    2026-11-24T10:00Z.

    \b
    no record    CEL has a call of which there is no record: it is not billed
    no CEL       there is a record of a call that CEL does not have
    duration     from answer to end, CEL and record differ by more than 50 ms
    dead letter  the call could not become a whole record; callengine audit lists it too

    No difference: a call that the dialplan refused (limits, loops), one that is still live, one whose clock
    was set, and one from before the oldest line of CEL.
    """
    from cli.database import settings_in, told_plainly

    settings = settings_in(file)
    end = until or datetime.now(UTC) - LEEWAY
    with told_plainly():
        found = asyncio.run(reconciled(settings, since or end - DAY, end))
    click.echo(as_json(found) if form == "json" else as_text(found))
    raise SystemExit(1 if found.differences else 0)


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
        except PermissionError as wrong:
            raise click.ClickException(
                f"{wrong.filename} cannot be read: run this as user callengine"
            ) from None


def as_text(found: "Reconciliation") -> str:
    count = len(found.differences)
    told = f"{found.cel} calls in CEL, {found.records} records, "
    lines = [str(difference) for difference in found.differences]
    return "\n".join([*lines, f"{told}{count or 'no'} difference{'' if count == 1 else 's'}"])


def as_json(found: "Reconciliation") -> str:
    differences = [as_object(difference) for difference in found.differences]
    return json.dumps({"cel": found.cel, "records": found.records, "differences": differences}, indent=2)


def as_object(difference: "Difference") -> dict[str, str]:
    return {
        "kind": difference.kind.value,
        "call_id": difference.call_id,
        "number": difference.number,
        "began": difference.began.isoformat(),
        "what": difference.what,
        "why": difference.why,
    }
