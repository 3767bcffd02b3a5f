"""callengine pin: set the PIN by which a call may put the switches of a number or of an owner on."""

import sys
from pathlib import Path

import click

from cli.options import settings_option, state_option


@click.command()
@click.argument("target", metavar="NUMBER-OR-OWNER")
@click.option("--off", is_flag=True, help="Remove the PIN: no call can put a switch on any more.")
@click.option("--by", metavar="NAME", help="Who does it. Default: the user who runs this.")
@state_option()
@settings_option()
def command(*, target: str, off: bool, by: str | None, state: Path | None, settings: Path | None) -> None:
    """Set the PIN of a number, or of all numbers of an owner, for the step `switch_by_pin`.

    It is asked for, or read from standard input, because an argument would be in the list of processes. It is
    stored as a keyed hash, in the state folder. Run it as the user callengine or as root, on each node that
    takes calls to the number.
    """
    from cli.commands.switch import user
    from cli.options import settings_in
    from engine.pins import FILE, write

    values = settings_in(settings, state)
    target = known_target(target, values.routing_versions, values.country)
    pin = None if off else asked()
    try:
        write(values.state, target, pin, by or user())
    except OSError as error:
        raise click.ClickException(
            f"{values.state / FILE} cannot be written ({error.strerror}): run this as the user callengine, "
            "or as root"
        ) from None
    click.echo(f"{target}: the PIN is {'removed' if off else 'set'}")


def known_target(target: str, versions: Path, country: str) -> str:
    """Return the number as the routing in force has it, or the owner. Raises ClickException."""
    from config.errors import ConfigErrors
    from config.load import load
    from config.versions import Versions
    from dialplan.number import international

    folder = Versions(versions).in_force
    try:
        routing = load(folder, None)
    except (OSError, ConfigErrors):
        click.echo(f"not checked: {folder} cannot be read", err=True)
        return target
    if number := routing.number(international(target, country)):
        return number.number
    if target not in routing.owners:
        raise click.ClickException(f"the routing in force has no number and no owner {target}")
    return target


def asked() -> str:
    """Raises ClickException."""
    from engine.pins import objection

    if sys.stdin.isatty():
        pin = click.prompt("PIN", hide_input=True, confirmation_prompt=True)
    else:
        pin = sys.stdin.readline().strip()
    if what := objection(pin):
        raise click.ClickException(what)
    return str(pin)
