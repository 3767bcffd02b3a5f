"""Commands that run in the foreground until SIGTERM or Ctrl-C."""

import asyncio
from collections.abc import Coroutine

import click

from process.signals import stop_requested


async def run_until_stopped(work: Coroutine[None, None, None]) -> None:
    """Run until the work ends, or SIGTERM or SIGINT arrives; a second one does not interrupt the shutdown."""
    stop = asyncio.ensure_future(stop_requested().wait())
    task = asyncio.ensure_future(work)
    await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


def report(line: str) -> None:
    """Print a line about the progress, to standard error."""
    click.echo(line, err=True)
