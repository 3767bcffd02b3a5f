"""The options that several commands have: one meaning has one name and one format in all of them."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from config.settings import Settings

type Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

FOLDER = click.Path(file_okay=False, path_type=Path)
FORMATS = ("text", "csv", "json")


class Instant(click.ParamType[datetime]):
    """An ISO 8601 instant; without a zone, in this machine's."""

    name = "TIME"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is not a time; write 2026-11-24, 2026-11-24T10:00 or 2026-11-24T10:00Z")
        return instant.astimezone()


class Address(click.ParamType[str]):
    """HOST:PORT, as text."""

    name = "HOST:PORT"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        host, _, port = value.rpartition(":")
        if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            self.fail(f"{value} is not an address; write HOST:PORT, as in 127.0.0.1:5060")
        return value


def settings_file(settings: Path | None, state: Path | None) -> Path | None:
    """The settings file that --settings and --state name: the one in the state folder, if that is given."""
    return state / "callengine.toml" if state else settings


def settings_in(file: Path | None, state: Path | None = None) -> "Settings":
    """The settings of the `callengine dev` in `state`, else of the file. Raises ClickException."""
    from config.settings import SettingsError, load_settings  # noqa: PLC0415 - `--help` needs none: 0.15 s

    try:
        return load_settings(settings_file(file, state))
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def settings_option() -> Decorator:
    return click.option(
        "--settings",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Settings file. Default: $CALLENGINE_SETTINGS, else /etc/callengine/callengine.toml.",
    )


def state_option(*, required: bool = False) -> Decorator:
    return click.option(
        "--state",
        type=FOLDER,
        metavar="FOLDER",
        required=required,
        help="State folder of a `callengine dev`: its database, journal, logs and endpoints.json.",
    )


def database_option() -> Decorator:
    return click.option(
        "--database", metavar="URL", help="PostgreSQL URL. Default: the database of the settings."
    )


def owner_option() -> Decorator:
    return click.option("--owner", metavar="OWNER", help="Only those of this owner.")


def number_option() -> Decorator:
    return click.option(
        "--number",
        metavar="NUMBER",
        help="Only calls to this service number: +3270012345, or in national form, 070012345.",
    )


def since_option(default: str = "") -> Decorator:
    """`default`: what the command does without this option."""
    shared = (
        "Only from this time on: 2026-11-24, 2026-11-24T10:00 (this machine's time zone) "
        "or 2026-11-24T10:00Z."
    )
    return click.option("--since", type=Instant(), help=f"{shared} {default}".strip())


def until_option(default: str = "") -> Decorator:
    """`default`: what the command does without this option."""
    shared = "Only before this time, written as for --since."
    return click.option("--until", type=Instant(), help=f"{shared} {default}".strip())


def format_option(*formats: str) -> Decorator:
    """The first format is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Output format.",
    )
