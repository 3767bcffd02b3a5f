"""python -m bench: see `--help`."""

import asyncio
import signal
import sys
from collections.abc import Coroutine

import click
import uvloop

from bench import machine
from bench.page import fill, keep
from bench.plan import FULL, QUICK
from bench.run import Results, measure
from bench.sipp import SippTrouble, command
from bench.systems import Open, dialplan, door, engine, other
from bench.tables import tables
from devkit.stack import TROUBLE

PAGE = machine.ROOT / "docs" / "performance.md"
BUILD = machine.ROOT / "build" / "bench"
OTHERS_MOST = 0.08  # of the processor: the kernel's own work for us counts as others'


@click.command()
@click.option(
    "--quick", is_flag=True, help="Some 5 minutes instead of 40, one turn each; the page is not touched."
)
@click.option(
    "--huge", is_flag=True, help="With ten million records too: some 15 minutes more, 20 GB of disk."
)
@click.option("--other", "others", multiple=True, metavar="NAME=COMMAND",
              help="A third system: it takes calls on {sip} and sends them to {carrier}.")  # fmt: skip
@click.option("--anyway", is_flag=True, help="Fill the page although others use this machine.")
def main(*, quick: bool, huge: bool, others: tuple[str, ...], anyway: bool) -> None:
    """The engine beside a plain dialplan, without and with our door: same Asterisk, same load, in turn.

    A COMMAND runs in the foreground until SIGTERM. Called for +32800000001 it dials +32470000001, called for
    +32800000003 it dials +32470000001, +32470000009 and +32470000019 at once; destinations see the caller's
    number.
    """
    systems: dict[str, Open] = {"dialplan": dialplan, "door": door, "engine": engine}
    for name, is_one, words in (one.partition("=") for one in others):
        if not (name and is_one and words):
            raise click.BadParameter("write NAME=COMMAND", param_hint="--other")
        systems[name] = other(words)
    if busy := machine.is_busy():
        say("others use this machine: the figures will say more about them")
    try:
        command()
        results = uvloop.run(ended_by_sigterm(measure(QUICK if quick else FULL, systems, say, huge=huge)))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)
    except (SippTrouble, *TROUBLE) as trouble:
        raise click.ClickException(str(trouble)) from None
    click.echo(tables(results))
    if (share := results["machine"]["others"]) > OTHERS_MOST:
        busy = True
        say(f"others have taken {share:.0%} of the processor meanwhile: the figures say more about them")
    into_page = not quick and (anyway or not busy)
    for file in keep(results, PAGE.parent if into_page else BUILD):
        say(f"written: {file}")
    if into_page:
        fill(PAGE, results)
        say(f"written: {PAGE}")


async def ended_by_sigterm(work: Coroutine[object, object, Results]) -> Results:
    """SIGTERM ends it as Ctrl-C does: what it has started is stopped, and its folders are gone."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def say(line: str) -> None:
    click.echo(f"bench: {line}", err=True)


if __name__ == "__main__":
    sys.exit(main())
