"""callengine disclose: export the calls of one number and period for an authority."""

import asyncio
import io
import json
from collections.abc import Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import format_option, settings_option, since_option, state_option, until_option

if TYPE_CHECKING:
    from config.settings import Settings
    from storage.disclosures import Order
    from storage.records import CallRecord

LISTED = ("disclosure_id", "asked_at", "authority", "reference", "since", "until", "by_one", "by_other",
          "exported_at", "calls", "sha256")  # fmt: skip


@click.command()
@click.argument("number", required=False)
@since_option()
@until_option()
@click.option("--authority", help="The authority that gets the file.")
@click.option("--reason", help="The reason, with the law that obliges you.")
@click.option("--reference", help="The file number of the order.")
@click.option("--by", metavar="NAME", help="Your name. Two persons are needed.")
@click.option("--confidential", is_flag=True, help="Owners do not see it in their access log.")
@click.option("--approve", type=int, metavar="ID", help="As the second person: write the file of this order.")
@click.option("--output", type=click.Path(path_type=Path), help="The file of --approve. It must be new.")
@click.option("--list", "listing", is_flag=True, help="List all orders, and what was exported.")
@format_option("csv", "json")
@state_option()
@settings_option()
def command(
    *, form: str, state: Path | None, settings: Path | None, approve: int | None, listing: bool, **told: Any
) -> None:
    """Export the calls of NUMBER between --since and --until: as caller, as dialled number, as destination.

    A destination may be a SIP address, too: sip:reception@pbx.acme.example.

    One person asks (NUMBER, - reads it from standard input); another one approves with --approve, within
    seven days, and gets the file. Their logins on the host have to differ, too; sudo keeps a login. Order and
    export are stored with both names, logins and the file's SHA-256; callengine audit checks them, and
    callengine recordings accesses lists each export.
    """
    from cli.database import database_errors
    from cli.options import settings_in

    values = settings_in(settings, state)
    with database_errors():
        asyncio.run(chosen(values, form, approve, told, listing=listing))


def chosen(
    settings: "Settings", form: str, approve: int | None, told: dict[str, Any], *, listing: bool
) -> Coroutine[Any, Any, None]:
    """What the options ask for. Raises UsageError."""
    if sum((bool(told["number"]), approve is not None, listing)) != 1:
        raise click.UsageError("write a NUMBER, or --approve ID, or --list")
    if listing:
        return show(settings, form)
    if not (told["by"] and told["by"].strip()):
        raise click.UsageError("write your name: --by NAME")
    if approve is None:
        return ask(settings, order_of(**told))
    if told["output"] is None:
        raise click.UsageError("write the file: --output FILE")
    return export(settings, approve, told["by"].strip(), form, told["output"])


def order_of(
    *, number: str, since: datetime | None, until: datetime | None, by: str, output: object,
    confidential: bool, **texts: str | None,
) -> "Order":  # fmt: skip
    """Raises UsageError where something is missing."""
    from cli.caller_number import given_party
    from storage.disclosures import Order

    missing = [f"--{name}" for name, text in texts.items() if not (text and text.strip())]
    if since is None or until is None or missing:
        missing += ["--since"] * (since is None) + ["--until"] * (until is None)
        raise click.UsageError(f"write {' and '.join(missing)} too")
    if since >= until:
        raise click.UsageError("--since must be before --until")
    told = {name: str(text).strip() for name, text in texts.items()}
    return Order(given_party(number), since, until, by=by.strip(), confidential=confidential, **told)


async def ask(settings: "Settings", order: "Order") -> None:
    from cli.caller_number import number_keys
    from cli.database import connected
    from storage import disclosures

    keys = number_keys(settings)
    async with connected(settings.database.get_secret_value()) as con:
        disclosure_id = await disclosures.ask(con, order, keys)
    click.echo(f"disclosure {disclosure_id} waits for a second person, for seven days:")
    click.echo(f"callengine disclose --approve {disclosure_id} --by NAME --output FILE")


async def export(settings: "Settings", disclosure_id: int, by: str, form: str, output: Path) -> None:
    from cli.caller_number import number_keys
    from cli.database import connected
    from cli.fetching import write_new
    from storage import disclosures

    keys = number_keys(settings)
    approval = disclosures.Approval(by, form, lambda records: text_of(records, form))
    write_new(output, b"")  # refuse before anything is logged
    try:
        async with connected(settings.database.get_secret_value()) as con:
            made = await disclosures.export(con, disclosure_id, approval, keys, settings.country)
    except disclosures.NotDisclosed as error:
        await asyncio.to_thread(output.unlink)
        raise click.ClickException(str(error)) from None
    await asyncio.to_thread(output.write_text, made.text, "utf-8")
    click.echo(f"{output}: {made.calls} calls, SHA-256 {made.sha256}")


def text_of(records: "Sequence[CallRecord]", form: str) -> str:
    """The whole file, as callengine calls writes it."""
    import csv

    from storage.export import COLUMNS, as_cells, as_object

    if form == "json":
        return json.dumps([as_object(record) for record in records], indent=1) + "\n"
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(as_cells(record) for record in records)
    return out.getvalue()


async def show(settings: "Settings", form: str) -> None:
    import sys

    from cli.commands.recordings import export as print_rows
    from cli.database import connected
    from storage.disclosures import ALL
    from storage.rows import rows_of

    async with connected(settings.database.get_secret_value()) as con:
        await print_rows(rows_of(con, ALL), LISTED, form, sys.stdout)
