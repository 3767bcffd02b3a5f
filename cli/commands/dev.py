"""callengine dev: everything on this machine, embedded, in the foreground."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.foreground import report, run_until_stopped
from cli.options import Address, state_option

if TYPE_CHECKING:
    from devkit.stack import Wish

ROUTING = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option(
    "--routing",
    required=True,
    type=ROUTING,
    metavar="FOLDER",
    help="The routing folder; it is watched for changes.",
)
@state_option(required=True)
@click.option(
    "--carrier",
    type=Address(),
    help="Where outgoing legs are sent, and calls come from. Default: demo telephones.",
)
@click.option(
    "--smtp",
    type=Address(),
    help="The SMTP server for mail. Default: an embedded mailbox, shown in the browser.",
)
@click.option("--sip", type=Address(), help="Where Asterisk takes calls. Default: a free port.")
@click.option(
    "--objects",
    type=click.Choice(["directory", "s3"]),
    default="directory",
    show_default=True,
    help="Where audio is stored: in the state folder, or in a bucket of an embedded store.",
)
def command(
    *, routing: Path, state: Path, carrier: str | None, smtp: str | None, sip: str | None, objects: str
) -> None:
    """Run everything embedded, on free loopback ports, until SIGTERM or Ctrl-C.

    endpoints.json in the state folder lists all addresses as soon as everything is ready; `mailbox` is the
    page that shows the mails, `portal` the owners' pages. DATABASE_URL, PG_BINDIR and ASTERISK_BIN replace an
    embedded part; with DATABASE_URL there is no portal.
    """
    from devkit.stack import TROUBLE, StateTaken, Wish

    refuse_wrong_routing(routing)
    database, s3 = os.environ.get("DATABASE_URL"), objects == "s3"
    wish = Wish(routing, state.absolute(), carrier or "", sip, database, smtp, s3=s3, portal=True)
    try:
        asyncio.run(run_until_stopped(serve(wish)))
    except (*TROUBLE, StateTaken) as error:
        raise click.ClickException(str(error)) from None


def refuse_wrong_routing(routing: Path) -> None:
    """Raise ClickException with every error if the routing folder could not go live."""
    from config.errors import ConfigErrors
    from config.load import load
    from config.policy import Policy
    from config.settings import Destinations

    try:
        load(routing, Policy(Destinations().countries))
    except ConfigErrors as errors:
        raise click.ClickException(f"nothing was started: the routing folder is wrong\n{errors}") from None


async def serve(wish: "Wish") -> None:
    """Run, with demo telephones as the carrier unless one is given."""
    from dataclasses import replace

    from devkit.carrier import Answers, carrier
    from devkit.phones import phones

    if wish.carrier:
        await serve_stack(wish)
        return
    async with phones() as telephones, carrier(telephones, default=Answers(after=1, says=())) as ours:
        await serve_stack(replace(wish, carrier=ours.address))


async def serve_stack(wish: "Wish") -> None:
    from devkit.stack import endpoints, stack

    report("starting Asterisk, PostgreSQL, engine and worker")
    async with stack(wish, report) as run:
        report(f"ready: calls to sip:NUMBER@{run.sip}, all other addresses in {endpoints(wish.state)}")
        await run.keep_running()
