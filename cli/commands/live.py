"""callengine live: list the calls that are live on this host."""

import json
from pathlib import Path
from typing import Any

import click

from cli.options import format_option, number_option, owner_option, settings_option, state_option


@click.command()
@number_option()
@owner_option()
@format_option("text", "json")
@state_option()
@settings_option()
def command(
    *, number: str | None, owner: str | None, form: str, state: Path | None, settings: Path | None
) -> None:
    """List the calls that are live on this host now, oldest first; at most 1,000.

    Run it as root or as the engine's user, on the engine's host. A caller who withholds their number is shown
    as `withheld`.
    """
    from cli.control import ask
    from cli.dialled import recorded_number
    from cli.options import settings_in

    effective = settings_in(settings, state)
    number = number and recorded_number(number, settings, state)
    calls = [
        call
        for call in ask(effective, "GET", "/calls")["calls"]
        if number in (None, call["number"]) and owner in (None, call["owner"])
    ]
    click.echo(json.dumps(calls, indent=2) if form == "json" else as_text(calls))


def as_text(calls: list[dict[str, Any]]) -> str:
    if not calls:
        return "no live calls"
    return "\n".join(
        f"{call['call_id']}  {call['seconds']:7.1f} s  {call['number']:<16} {call['owner']:<12} "
        f"{call['caller']:<16} by {call['trunk'] or 'unknown'}  {call['doing']}"
        f"{', recorded' if call['recorded'] else ''}"
        for call in calls
    )
