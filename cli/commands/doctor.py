"""callengine doctor: check the live system, and print each finding with its remedy."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.exit_status import ExitStatus, end_with
from cli.options import format_option, settings_file, settings_option, state_option

if TYPE_CHECKING:
    from cli.doctor.examination import Check
    from cli.doctor.finding import Finding
    from cli.doctor.scene import Scene


@click.command()
@click.option(
    "--without",
    multiple=True,
    metavar="CHECK",
    help="Leave out this check; may be given several times. --list names them.",
)
@click.option("--list", "listed", is_flag=True, help="List the checks, and do nothing else.")
@format_option("text", "json")
@state_option()
@settings_option()
def command(
    *, without: tuple[str, ...], listed: bool, form: str, state: Path | None, settings: Path | None
) -> None:
    """Check every part of the live system, and print each finding with its remedy.

    Run it as root on Asterisk's host. The exit status is 1 if there is an error, 0 if there are only
    warnings. With --state, what only an installed host has is left out.
    """
    from cli.doctor.examination import examine
    from cli.doctor.table import CHECKS
    from process.no_core import forbid_core_dumps

    chosen = [check for check in CHECKS if check.name not in without and not (state and check.installed)]
    if unknown := set(without) - {check.name for check in CHECKS}:
        raise click.UsageError(f"there is no check {', '.join(sorted(unknown))}; --list names them")
    if listed:
        for check in chosen:
            click.echo(f"{check.name}: {check.what}")
        return
    forbid_core_dumps()
    findings = asyncio.run(examine(scene_of(settings, state), chosen))
    show(findings, chosen, form)
    end_with(ExitStatus.FAILED if any(it.level == "error" for it in findings) else ExitStatus.OK)


def scene_of(settings: Path | None, state: Path | None) -> "Scene":
    """The live system that the settings describe. Raises ClickException."""
    from cli.doctor.scene import Scene
    from cli.options import settings_in
    from config.settings import DEFAULT_FILE, file_of_environment

    file = settings_file(settings, state) or file_of_environment() or DEFAULT_FILE
    return Scene(settings_in(settings, state), file)


def show(findings: "list[Finding]", checks: "list[Check]", form: str) -> None:
    """Print the findings: one a line, or as JSON."""
    if form == "json":
        names = [check.name for check in checks]
        click.echo(json.dumps({"checks": names, "findings": list(map(asdict, findings))}, indent=1))
        return
    for finding in findings:
        click.echo(str(finding))
    count = len(findings) or "no"
    click.echo(f"{len(checks)} checks, {count} finding{'' if count == 1 else 's'}")
