"""callengine drain: send new calls to their fallback, for maintenance; live calls go on."""

from pathlib import Path

import click

from cli.options import settings_option, state_option


@click.command()
@click.option("--off", is_flag=True, help="End it: new calls get their route again.")
@state_option()
@settings_option()
def command(*, off: bool, state: Path | None, settings: Path | None) -> None:
    """Send new calls to their number's fallback until `--off`, also over restarts of the engine.

    Live calls go on. A number without a fallback answers 503, so that the carrier may try another node.
    While it lasts, /ready of the engine says so, with status 503.
    """
    from cli.control import ask
    from cli.options import settings_in

    answer = ask(settings_in(settings, state), "POST", f"/drain/{'off' if off else 'on'}")
    what = "new calls go to their fallback" if answer["drained"] else "new calls get their route again"
    click.echo(f"{what}; {answer['live']} live calls")
