"""callengine versions: the stored routing versions: when in force, who put them live, and why."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import format_option, settings_option, state_option

if TYPE_CHECKING:
    from config.applied import Applied
    from config.versions import Version


@click.command()
@format_option("text", "json")
@state_option()
@settings_option()
def command(*, form: str, state: Path | None, settings: Path | None) -> None:
    """List the routing versions of this node, the latest in force first.

    A version is stored as long as a live call needs it, and history_days after it was in force. Who applied
    it, and why, is known of versions that `callengine apply` or `rollback` put live.
    """
    from cli.options import settings_in
    from config.applied import history
    from config.versions import Versions

    versions = Versions(settings_in(settings, state).routing_versions)
    live, applied = versions.in_force_digest(), history(versions)
    if form == "json":
        click.echo(
            json.dumps([as_object(it, live, applied) for it in versions.all()], ensure_ascii=False, indent=2)
        )
        return
    for version in versions.all():
        click.echo("\n".join(as_text(version, live, applied)))


def as_object(version: "Version", live: str, applied: list["Applied"]) -> dict[str, Any]:
    return {
        "digest": version.digest,
        "live": version.digest == live,
        "in_force": [
            {"since": period.since.isoformat(), "until": period.until and period.until.isoformat()}
            for period in version.periods
        ],
        "applied": [json.loads(it.as_json()) for it in applied if it.digest == version.digest],
    }


def as_text(version: "Version", live: str, applied: list["Applied"]) -> list[str]:
    mark = "*" if version.digest == live else " "
    periods = [
        f"{local(period.since)} - {local(period.until) if period.until else ('now' if mark == '*' else '?')}"
        for period in version.periods
    ]
    lines = [f"{mark} {version.digest[:12]}  {', '.join(periods)}"]
    for it in applied:
        if it.digest == version.digest:
            reason = f": {it.reason}" if it.reason else ""
            verb = f"applied from {it.source}" if it.source else "rolled back to"
            lines.append(f"    {local(it.at)}  {verb} by {it.operator} on {it.host}{reason}")
    return lines


def local(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
