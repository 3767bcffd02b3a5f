"""callengine portal: the web pages on which owners see their calls, messages and recordings."""

from pathlib import Path

import click

from cli.options import settings_option


@click.command()
@settings_option()
def command(settings: Path | None) -> None:
    """Show owners their calls, messages and recordings as web pages, until SIGTERM.

    [portal] of the settings has its address: put a reverse proxy with TLS before it. Its database role is
    callengine_portal. It changes no call, and calls do not need it.
    """
    from cli.database import database_errors
    from config.settings import SettingsError, load_settings
    from portal.service import serve
    from process.health import CannotServe
    from process.log import log_to_stderr
    from process.loop import run
    from process.no_core import forbid_core_dumps
    from storage.owned.tenant import RoleUnlimited

    forbid_core_dumps()
    try:
        values = load_settings(settings)
        log_to_stderr(values.log.level)
        with database_errors():
            run(serve(values))
    except (SettingsError, CannotServe, RoleUnlimited) as error:
        raise click.ClickException(str(error)) from None
