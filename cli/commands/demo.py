"""callengine demo: real SIP calls with sound on this machine, shown as they happen."""

import asyncio

import click

from cli.exit_status import ExitStatus, end_with
from cli.options import Address


@click.command()
@click.option("--once", is_flag=True, help="End after the calls, with exit status 1 if one went wrong.")
@click.option("--sip", type=Address(), help="Where Asterisk takes calls. Default: a free port.")
def command(once: bool, sip: str | None) -> None:
    """Start everything embedded, place real calls, show their records; then wait for calls of a softphone."""
    from cli.foreground import run_until_stopped
    from devkit.demo import demo
    from devkit.stack import TROUBLE

    outcome: list[bool] = []

    async def perform() -> None:
        outcome.append(await demo(once=once, sip=sip))

    try:
        asyncio.run(run_until_stopped(perform()))
    except TROUBLE as error:
        raise click.ClickException(str(error)) from None
    end_with(ExitStatus.OK if not once or outcome == [True] else ExitStatus.FAILED)
