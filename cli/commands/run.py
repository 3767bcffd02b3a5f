"""callengine run: the engine."""

from pathlib import Path

import click


@click.command()
@click.option("--settings", "file", type=click.Path(path_type=Path), help="The settings file.")
def command(file: Path | None) -> None:
    """Take calls from Asterisk until SIGTERM.

    Calls that live then stay up and are taken over by the next engine. The routing folder is watched; SIGHUP
    reads it at once. /metrics, /live and /ready are served as [http] of the settings says.
    """
    from config.errors import ConfigErrors
    from config.settings import SettingsError, load_settings
    from engine.ari.errors import PortTaken
    from engine.service import serve
    from journal.writer import JournalInUse
    from process.log import log_to_stderr
    from process.loop import run
    from process.no_core import forbid_core_dumps

    forbid_core_dumps()
    try:
        settings = load_settings(file)
        settings.require("ari.password", "ari.events_password")
        log_to_stderr(settings.log.level)
        run(serve(settings))
    except (SettingsError, ConfigErrors, PortTaken, JournalInUse) as wrong:
        raise click.ClickException(str(wrong)) from None
