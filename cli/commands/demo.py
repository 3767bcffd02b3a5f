"""callengine demo: see it work on this machine: real SIP calls with sound, told as they happen."""

import asyncio
import sys

import click

from cli.commands.dev import check_address


@click.command()
@click.option("--once", is_flag=True, help="End by itself after the calls; exit 1 when one went wrong.")
@click.option("--sip", callback=check_address, metavar="HOST:PORT", help="Where a softphone can call in.")
def command(once: bool, sip: str | None) -> None:
    """Start everything embedded, place real calls, show their records; then stay up for a softphone."""
    from cli.commands.dev import until_told
    from devkit.demo import demo
    from devkit.stack import TROUBLE

    outcome: list[bool] = []

    async def perform() -> None:
        outcome.append(await demo(once=once, sip=sip))

    try:
        asyncio.run(until_told(perform()))
    except TROUBLE as trouble:
        raise click.ClickException(str(trouble)) from None
    sys.exit(0 if not once or outcome == [True] else 1)
