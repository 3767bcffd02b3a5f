"""Which number of a routing folder an operator means: as a trunk sends it, or in national form."""

from pathlib import Path

import click

from config.settings import load_settings
from dialplan.number import ServiceNumber, dial_key, international
from dialplan.routing import Routing

LONGEST_COUNTRY_CODE = 3


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
