"""callengine work: the worker, which brings the journal of this host's engine into PostgreSQL."""

from pathlib import Path

import click


@click.command()
@click.option("--settings", "file", type=click.Path(path_type=Path), help="The settings file.")
def command(file: Path | None) -> None:
    """Bring the journal of this host's engine into PostgreSQL, until SIGTERM.

    While the database is away, records wait in the journal; calls never wait for it. Migrations are applied
    first. /metrics, /live and /ready are served as [http] of the settings says.
    """
    from config.settings import SettingsError, load_settings
    from process.health import CannotServe
    from process.log import log_to_stderr
    from process.loop import run
    from process.no_core import forbid_core_dumps
    from storage.migrate import MigrationChanged
    from storage.nodes import NodeTaken
    from worker.service import work

    forbid_core_dumps()
    try:
        settings = load_settings(file)
        log_to_stderr(settings.log.level)
        run(work(settings))
    except (SettingsError, CannotServe, MigrationChanged, NodeTaken) as wrong:
        raise click.ClickException(str(wrong)) from None
