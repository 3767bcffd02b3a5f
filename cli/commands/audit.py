"""callengine audit: everything that is kept or was destroyed, held against each other."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from config.settings import Settings
    from storage.finding import Finding
    from storage.key_wrapper import KeyWrapper
    from storage.tombstones import Head


class ChainHead(click.ParamType["Head"]):
    """A head of the chain of tombstones as `callengine audit` prints it."""

    name = "SEQ:HASH"

    def convert(
        self, value: "str | Head", param: click.Parameter | None, ctx: click.Context | None
    ) -> "Head":
        from storage.tombstones import Head

        if isinstance(value, Head):
            return value
        seq, _, digest = value.partition(":")
        if not seq.isdecimal() or len(digest) != 64:
            self.fail(f"{value} is no head of the chain; write it as an earlier audit printed it")
        return Head(int(seq), digest)


@click.command()
@click.option("--head", type=ChainHead(), help="A head of before, which the chain must still pass through.")
@click.option("--read", is_flag=True, help="Read every object, and see that it is what was stored.")
@click.option("--no-spool", is_flag=True, help="Leave out the spool: this is not Asterisk's host.")
@click.option("--settings", "file", type=click.Path(path_type=Path), help="The settings file.")
def command(*, head: "Head | None", read: bool, no_spool: bool, file: Path | None) -> None:
    """Hold tombstones, rows, keys, object store and spool against each other.

    Prints a line for each finding, with its remedy, and ends with 1 if there is any. The last line is the
    head of the chain of tombstones: note it elsewhere, and a later audit with --head sees whether its end was
    cut off.
    """
    from cli.database import settings_in, told_plainly
    from process.no_core import forbid_core_dumps

    forbid_core_dumps()
    settings = settings_in(file)
    with told_plainly():
        found = asyncio.run(audit(settings, head, read=read, spool=not no_spool))
    raise SystemExit(1 if found else 0)


async def audit(settings: "Settings", head: "Head | None", *, read: bool, spool: bool) -> int:
    """Print what there is to be said; return how many findings there were. Raises ClickException."""
    from cli.database import connected
    from storage.audit import Auditor
    from storage.objects import ObjectsTrouble
    from storage.spool import Spool, SpoolAway
    from storage.tombstones import verify
    from worker.stores import objects_of

    objects = objects_of(settings)
    place = Spool(settings.asterisk.recordings) if spool else None
    auditor = Auditor(objects, place, read, master_keys(settings))
    try:
        async with connected(settings.database.get_secret_value()) as con:
            found = await tell(auditor.findings(con, head))
            click.echo(f"{found or 'no'} finding{'' if found == 1 else 's'}; the chain's head is")
            click.echo(str((await verify(con)).head))
    except (ObjectsTrouble, SpoolAway) as trouble:
        raise click.ClickException(f"the audit could not be ended: {trouble}") from None
    finally:
        await objects.close()
    return found


def master_keys(settings: "Settings") -> "KeyWrapper | None":
    """None without any. Raises ClickException."""
    from config.settings import SettingsError
    from worker.stores import key_wrapper_of

    try:
        return key_wrapper_of(settings)
    except SettingsError as wrong:
        raise click.ClickException(str(wrong)) from None


async def tell(findings: "AsyncIterator[Finding]") -> int:
    found = 0
    async for finding in findings:
        found += 1
        click.echo(str(finding))
    return found
