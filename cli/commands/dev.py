"""callengine dev: everything on this machine, embedded, in the foreground."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from devkit.stack import Wish

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def check_address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    host, _, port = (value or "").rpartition(":")
    if value is not None and not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise click.BadParameter("write HOST:PORT, as in 127.0.0.1:5060")
    return value


@click.command()
@click.option("--routing", required=True, type=FOLDER, help="The routing folder; it is watched.")
@click.option("--state", required=True, type=click.Path(file_okay=False, path_type=Path),
              help="Everything the run keeps: database, journal, logs, endpoints.json.")  # fmt: skip
@click.option("--carrier", callback=check_address, metavar="HOST:PORT",
              help="Where outgoing legs go, and calls come from. Default: phones of our own.")  # fmt: skip
@click.option("--smtp", callback=check_address, metavar="HOST:PORT",
              help="Where mail is sent. Default: a mailbox of our own, shown in the browser.")  # fmt: skip
@click.option("--sip", callback=check_address, metavar="HOST:PORT",
              help="Where Asterisk takes calls. Default: a free port.")  # fmt: skip
@click.option("--objects", type=click.Choice(["directory", "s3"]), default="directory", show_default=True,
              help="Where sounds are kept: in STATE/objects, or in a bucket of our own.")  # fmt: skip
def command(
    *, routing: Path, state: Path, carrier: str | None, smtp: str | None, sip: str | None, objects: str
) -> None:
    """Run everything embedded, on free loopback ports, until SIGTERM or Ctrl-C.

    STATE/endpoints.json tells where everything is as soon as it is ready, and `mailbox` in it the page that
    shows what was mailed. DATABASE_URL, PG_BINDIR and ASTERISK_BIN put something of yours in place of the
    embedded part.
    """
    from devkit.stack import TROUBLE, StateTaken, Wish

    refuse_wrong_routing(routing)
    database, s3 = os.environ.get("DATABASE_URL"), objects == "s3"
    wish = Wish(routing, state.absolute(), carrier or "", sip, database, smtp, s3=s3)
    try:
        asyncio.run(until_told(serve(wish)))
    except (*TROUBLE, StateTaken) as trouble:
        raise click.ClickException(str(trouble)) from None


def refuse_wrong_routing(routing: Path) -> None:
    """Exit with 1, every error printed, when the folder could not go live."""
    from config.errors import ConfigErrors
    from config.load import load
    from config.policy import Policy
    from config.settings import Destinations

    try:
        load(routing, Policy(Destinations().countries))
    except ConfigErrors as wrong:
        raise click.ClickException(f"nothing was started: the routing folder is wrong\n{wrong}") from None


async def serve(wish: "Wish") -> None:
    """The run, with phones of our own for a carrier unless there is one."""
    from dataclasses import replace

    from devkit.carrier import Answers, carrier
    from devkit.phones import phones

    if wish.carrier:
        await keep(wish)
        return
    async with phones() as telephones, carrier(telephones, default=Answers(after=1, says=())) as ours:
        await keep(replace(wish, carrier=ours.address))


async def keep(wish: "Wish") -> None:
    from devkit.stack import endpoints, stack

    say("starting Asterisk, PostgreSQL, engine and worker")
    async with stack(wish, say) as run:
        say(f"ready: calls to sip:NUMBER@{run.sip}, everything else in {endpoints(wish.state)}")
        await run.keep_running()


async def until_told(work: Coroutine[None, None, None]) -> None:
    """Do the work until it ends or SIGTERM or SIGINT comes; a second signal does not disturb the end."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(told.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


def say(line: str) -> None:
    click.echo(line, err=True)
