"""callengine hangup: hang up a live call."""

from pathlib import Path

import click

from cli.options import settings_option, state_option


@click.command()
@click.argument("call", type=click.UUID, metavar="CALL_ID")
@state_option()
@settings_option()
def command(*, call: object, state: Path | None, settings: Path | None) -> None:
    """Hang up a live call, whatever it does; `callengine live` lists them.

    Its record has `ended_by` engine and cause 31; the engine's log says who did it (call_hung_up).
    """
    from cli.control import ask
    from cli.options import settings_in

    ask(settings_in(settings, state), "DELETE", f"/calls/{call}")
    click.echo(f"hung up {call}")
