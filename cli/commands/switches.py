"""callengine switches: list the switches that are on, by whom and why."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import format_option, settings_option, state_option

if TYPE_CHECKING:
    from config.switches import Switched


@click.command()
@click.option("--all", "every", is_flag=True, help="Everything that was ever put on or off, oldest first.")
@format_option("text", "json")
@state_option()
@settings_option()
def command(*, every: bool, form: str, state: Path | None, settings: Path | None) -> None:
    """List the switches that are on at this node: until when, who put them on, when, and why."""
    from cli.options import settings_in
    from config.switches import FILE, latest_of, read_all

    file = settings_in(settings, state).state / FILE
    try:
        lines = read_all(file)
    except FileNotFoundError:
        lines = []
    except OSError as error:
        raise click.ClickException(
            f"{file} cannot be read ({error.strerror}): run this as the user callengine, or as root"
        ) from None
    now = datetime.now(UTC)
    shown = lines if every else [one for one in latest_of(lines).values() if one.is_on(now)]
    for text in as_json(shown) if form == "json" else as_text(shown):
        click.echo(text)


def as_text(switches: "Iterable[Switched]") -> Iterator[str]:
    for one in switches:
        until = f"on until {one.until.astimezone():%Y-%m-%d %H:%M}" if one.until else "off"
        why = f": {one.reason}" if one.reason else ""
        yield f"{one.target} {one.name} {until}, by {one.by} on {one.at.astimezone():%Y-%m-%d %H:%M}{why}"


def as_json(switches: "Iterable[Switched]") -> Iterator[str]:
    yield json.dumps([json.loads(one.as_line()) for one in switches], ensure_ascii=False, indent=2)
