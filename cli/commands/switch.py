"""callengine switch: put a switch of a number or an owner on, until a time, or off."""

import getpass
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import Instant, settings_option, state_option

if TYPE_CHECKING:
    from config.settings import Settings
    from dialplan.routing import Routing

LONGEST = timedelta(days=366)


@click.command()
@click.argument("target", metavar="NUMBER-OR-OWNER")
@click.argument("name")
@click.option(
    "--until",
    type=Instant(),
    help="When it goes off by itself: 2026-11-28T18:00 (this machine's time zone) or 2026-11-28T17:00Z.",
)
@click.option("--off", is_flag=True, help="Put it off.")
@click.option("--reason", default="", help="Why; needed to put it on.")
@click.option("--by", metavar="NAME", help="Who does it. Default: the user who runs this.")
@state_option()
@settings_option()
def command(
    *,
    target: str,
    name: str,
    until: datetime | None,
    off: bool,
    reason: str,
    by: str | None,
    state: Path | None,
    settings: Path | None,
) -> None:
    """Put a switch on for the calls that come in from now on, to a number or to all numbers of an owner.

    What it does is in the routing file, step `switch`. It goes off by itself at --until, or by --off. Who did
    it, when and why is kept: `callengine switches --all`. Run it as the user callengine or as root, on each
    node that takes calls to the number.
    """
    from cli.options import settings_in
    from config.switches import FILE, Switched, write

    check(until, off=off, reason=reason)
    values = settings_in(settings, state)
    target = known_target(target, name, values)
    ends = until.astimezone(UTC) if until else None
    switched = Switched(datetime.now(UTC), target, name, ends, by or user(), reason)
    file = values.state / FILE
    try:
        write(file, switched)
    except OSError as error:
        raise click.ClickException(
            f"{file} cannot be written ({error.strerror}): run this as the user callengine, or as root"
        ) from None
    click.echo(f"{target}: {name} is {f'on until {until:%Y-%m-%d %H:%M %Z}' if until else 'off'}")


def check(until: datetime | None, *, off: bool, reason: str) -> None:
    """Raises UsageError."""
    if (until is None) != off:
        raise click.UsageError("write either --until TIME, or --off")
    if until is None:
        return
    if not reason.strip():
        raise click.UsageError("write why, as in  --reason 'national strike'")
    if not timedelta(0) < until - datetime.now(UTC) <= LONGEST:
        raise click.UsageError(f"{until:%Y-%m-%d %H:%M %Z} is over, or more than a year away; write another")


def user() -> str:
    return os.environ.get("SUDO_USER") or getpass.getuser()


def known_target(target: str, name: str, settings: "Settings") -> str:
    """Return the number as the routing in force has it, or the owner. Raises ClickException.

    An unknown number, owner or switch is an error: it would have no effect. If the routing in force cannot be
    read, nothing is checked.
    """
    from config.errors import ConfigErrors
    from config.load import load
    from config.versions import Versions

    folder = Versions(settings.routing_versions).in_force
    try:
        routing = load(folder, None)
    except (OSError, ConfigErrors):
        click.echo(f"not checked: {folder} cannot be read", err=True)
        return target
    return checked_target(target, name, routing, settings.country)


def checked_target(target: str, name: str, routing: "Routing", country: str) -> str:
    """Raises ClickException."""
    from dialplan.number import international

    number = routing.number(international(target, country))
    numbers = [number] if number else [one for one in routing.numbers.values() if one.owner == target]
    if not numbers:
        raise click.ClickException(f"the routing in force has no number and no owner {target}")
    known = sorted({switch for one in numbers for switch in one.switches})
    if name not in known:
        there = f"it has: {', '.join(known)}" if known else "write the step `switch` in its routing file"
        raise click.ClickException(f"{target} has no switch {name}; {there}")
    return number.number if number else target
