"""Which number of a routing folder an operator means: as a trunk sends it, or in national form."""

import re
from pathlib import Path

import click

from cli.options import settings_in
from config.errors import ConfigErrors
from config.load import load
from config.settings import Settings, load_settings
from config.versions import Versions
from dialplan.number import ServiceNumber, dial_key, international
from dialplan.routing import Routing

LONGEST_COUNTRY_CODE = 3


def recorded_number(written: str, file: Path | None, state: Path | None) -> str:
    """Return a service number as records have it: of +3270012345, 003270012345, 3270012345 or 070012345.

    A national form is a number of the setting `country`; without that, of the routing in force on this host,
    as in `explain`. `file`, `state`: the options --settings and --state. Raises ClickException where neither
    says which number is meant.
    """
    if not re.fullmatch(r"[0-9]{7,20}", written, re.ASCII):
        return written
    settings = settings_in(file, state)
    number = international(written, settings.country)
    if not number.startswith("0"):
        return f"+{dial_key(number)}"
    if found := dialled(_in_force(settings), written):
        return found.number
    raise click.ClickException(
        f"{written} is not one number of the routing in force here; write it with + and country code, or set "
        "`country`"
    )


def _in_force(settings: Settings) -> Routing:
    """Raises ClickException where no routing is in force."""
    versions = Versions(settings.routing_versions)
    try:
        return load(versions.in_force.resolve(strict=True), None)
    except (OSError, ConfigErrors):
        raise click.ClickException(
            f"no routing is in force in {versions.root}, and `country` is not set: "
            "write the number with + and country code"
        ) from None


def dialled(routing: Routing, written: str, country: str = "") -> ServiceNumber | None:
    """Return the number that is written so: +3270012345, 003270012345, 3270012345 or 070012345.

    `country`: of the settings, to which a national form belongs, as in live calls. Without it the national
    form of one number only is understood.
    """
    number = routing.number(written) or routing.number(international(written, country))
    if number is not None or not written.startswith("0") or written.startswith("00"):
        return number
    national = written.removeprefix("0")
    lengths = range(len(national) + 1, len(national) + LONGEST_COUNTRY_CODE + 1)
    keys = [key for key in routing.numbers if key.endswith(national) and len(dial_key(key)) in lengths]
    return routing.numbers[keys[0]] if len(keys) == 1 else None


def dialled_or_fail(routing: Routing, folder: Path, written: str, settings: Path | None) -> ServiceNumber:
    """Return the number that is written so. Raises ClickException."""
    number = dialled(routing, written, load_settings(settings).country)
    if number is None:
        raise click.ClickException(f"{written} is not a number of {folder}; a call to it is answered 404")
    return number
