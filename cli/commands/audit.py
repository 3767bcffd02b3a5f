"""callengine audit: compare what is stored with what was destroyed, and print every difference."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.exit_status import ExitStatus, end_with
from cli.options import settings_option, state_option

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from config.settings import Settings
    from storage.finding import Finding
    from storage.tombstones import Head


class ChainHead(click.ParamType["Head"]):
    """A head of the chain of tombstones, as `callengine audit` prints it."""

    name = "SEQ:HASH"

    def convert(
        self, value: "str | Head", param: click.Parameter | None, ctx: click.Context | None
    ) -> "Head":
        from storage.tombstones import Head

        if isinstance(value, Head):
            return value
        seq, _, digest = value.partition(":")
        if not seq.isdecimal() or len(digest) != 64:
            self.fail(f"{value} is not a head of the chain; write it as an earlier audit printed it")
        return Head(int(seq), digest)


@click.command()
@click.option("--head", type=ChainHead(), help="An earlier head, which the chain must still contain.")
@click.option("--read", is_flag=True, help="Read every object, and check that it is what was stored.")
@click.option("--no-spool", is_flag=True, help="Leave out the spool: this is not Asterisk's host.")
@state_option()
@settings_option()
def command(
    *, head: "Head | None", read: bool, no_spool: bool, state: Path | None, settings: Path | None
) -> None:
    """Compare tombstones, rows, keys, object store and spool with each other.

    Print a line for each finding, with its remedy; the exit status is 1 if there is any. The last line is the
    head of the chain of tombstones: store it elsewhere, and a later audit with --head detects a truncated
    chain.
    """
    from cli.database import database_errors
    from cli.options import settings_in
    from process.no_core import forbid_core_dumps

    forbid_core_dumps()
    values = settings_in(settings, state)
    with database_errors():
        findings = asyncio.run(audit(values, head, read=read, spool=not no_spool))
    end_with(ExitStatus.FAILED if findings else ExitStatus.OK)


async def audit(settings: "Settings", head: "Head | None", *, read: bool, spool: bool) -> int:
    """Print all findings and the chain's head; return the number of findings. Raises ClickException."""
    from cli.database import connected
    from cli.keys import keys_if_any
    from storage.audit import Auditor
    from storage.audit_keys import unchecked
    from storage.objects import ObjectsTrouble
    from storage.spool import Spool, SpoolAway
    from storage.stores import objects_of
    from storage.tombstones import verify

    objects = objects_of(settings)
    folder = Spool(settings.asterisk.recordings) if spool else None
    auditor = Auditor(objects, folder, read, *keys_if_any(settings))
    try:
        async with connected(settings.database.get_secret_value()) as con:
            count = await print_all(auditor.findings(con, head))
            if auditor.key_wrapper is None:
                count += await print_all(each_of(await unchecked(con)))
            click.echo(f"{count or 'no'} finding{'' if count == 1 else 's'}; the chain's head is")
            click.echo(str((await verify(con)).head))
    except (ObjectsTrouble, SpoolAway) as error:
        raise click.ClickException(f"audit aborted: {error}") from None
    finally:
        await objects.close()
    return count


async def each_of(findings: "list[Finding]") -> "AsyncIterator[Finding]":
    for finding in findings:
        yield finding


async def print_all(findings: "AsyncIterator[Finding]") -> int:
    """Print each finding as it arrives; return their number."""
    count = 0
    async for finding in findings:
        count += 1
        click.echo(str(finding))
    return count
