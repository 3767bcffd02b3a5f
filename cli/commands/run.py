"""callengine run: the engine."""

from pathlib import Path

import click

from cli.options import settings_option


@click.command()
@settings_option()
def command(settings: Path | None) -> None:
    """Take calls from Asterisk until SIGTERM.

    Live calls stay up then, and the next engine takes them over. The routing folder is watched; SIGHUP
    reloads it at once. [http] of the settings has the address of /metrics, /live and /ready.
    """
    from process.garbage import uncollected
    from process.loop import run

    with uncollected():
        from config.errors import ConfigErrors
        from config.settings import SettingsError, load_settings
        from engine.ari.errors import PortTaken
        from engine.service import serve
        from journal.writer import JournalInUse
        from process.log import log_to_stderr
        from process.no_core import forbid_core_dumps

    forbid_core_dumps()
    try:
        values = load_settings(settings)
        values.require("ari.password", "ari.events_password")
        log_to_stderr(values.log.level)
        run(serve(values))
    except (SettingsError, ConfigErrors, PortTaken, JournalInUse) as error:
        raise click.ClickException(str(error)) from None
