"""callengine work: the worker, which brings the journal of this host's engine into PostgreSQL."""

from pathlib import Path

import click

from cli.options import settings_option


@click.command()
@settings_option()
def command(settings: Path | None) -> None:
    """Bring the journal of this host's engine into PostgreSQL, until SIGTERM.

    While the database is away, records wait in the journal; calls never wait for it. Migrations are applied
    first. [http] of the settings has the address of /metrics, /live and /ready.
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
        values = load_settings(settings)
        log_to_stderr(values.log.level)
        run(work(values))
    except (SettingsError, CannotServe, MigrationChanged, NodeTaken) as error:
        raise click.ClickException(str(error)) from None
