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
OTHERS_MOST = 0.08  # of the processor: the kernel's work for us counts as others' too


@click.command()
@click.option(
    "--quick", is_flag=True, help="Take about 5 minutes instead of 40, one turn each; do not write the page."
)
@click.option("--huge", is_flag=True, help="Add ten million records: about 15 minutes more, 20 GB of disk.")
@click.option("--other", "others", multiple=True, metavar="NAME=COMMAND",
              help="Add a system that takes calls on {sip} and sends them to {carrier}.")  # fmt: skip
@click.option("--anyway", is_flag=True, help="Write the page even if other processes use this machine.")
def main(*, quick: bool, huge: bool, others: tuple[str, ...], anyway: bool) -> None:
    """Compare the engine with a plain dialplan, with and without our door: same Asterisk, same load, in turn.

    A COMMAND runs in the foreground until SIGTERM. For calls to +32800000001 it dials +32470000001, for calls
    to +32800000003 it dials +32470000001, +32470000009 and +32470000019 at once; destinations see the
    caller's number.
    """
    systems: dict[str, Open] = {"dialplan": dialplan, "door": door, "engine": engine}
    for name, separator, words in (option.partition("=") for option in others):
        if not (name and separator and words):
            raise click.BadParameter("write NAME=COMMAND", param_hint="--other")
        systems[name] = other(words)
    if busy := machine.is_busy():
        say("other processes use this machine: the figures will depend on them")
    try:
        command()
        results = uvloop.run(ended_by_sigterm(measure(QUICK if quick else FULL, systems, say, huge=huge)))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)
    except (SippTrouble, *TROUBLE) as error:
        raise click.ClickException(str(error)) from None
    click.echo(tables(results))
    if (share := results["machine"]["others"]) > OTHERS_MOST:
        busy = True
        say(f"other processes used {share:.0%} of the processor meanwhile: the figures depend on them")
    into_page = not quick and (anyway or not busy)
    for file in keep(results, PAGE.parent if into_page else BUILD):
        say(f"written: {file}")
    if into_page:
        fill(PAGE, results)
        say(f"written: {PAGE}")


async def ended_by_sigterm(work: Coroutine[object, object, Results]) -> Results:
    """Let SIGTERM end the run as Ctrl-C does: processes are stopped, folders removed."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def say(line: str) -> None:
    click.echo(f"bench: {line}", err=True)


if __name__ == "__main__":
    sys.exit(main())
