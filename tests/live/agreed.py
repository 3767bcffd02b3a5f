"""What was agreed: service numbers, destinations, owners and prompts of a running service."""

import json
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from devkit.audio import RATE, tone, write_wav

Route = Sequence[Mapping[str, Any]]

# The tone that each prompt is, in Hz, half a second of it; no caller and no destination says one of these.
PROMPTS = {"welcome": 880, "closed": 440, "sorry": 1320, "long": 760, "confirm": 1480}
FRENCH_WELCOME = 1180
SECONDS = {"long": 2.0}
READY = 40
RECORDED = "name: ACME\nlanguage: en\nrecording_notice: long\n"

# A test asks for numbers that nobody else has: what it finds under them is its own.
_numbers = count(1)


def new_number() -> str:
    """A service number."""
    return f"+32800{next(_numbers):05d}"


def new_destination() -> str:
    return f"+3247{next(_numbers):07d}"


def new_caller() -> str:
    return f"+3225{next(_numbers):06d}"


def write_owner(routing: Path) -> None:
    """A routing folder with an owner and prompts; a folder without any number has nothing to serve."""
    for name in ("owners", "numbers", "prompts"):
        (routing / name).mkdir(parents=True)
    (routing / "owners" / "acme.yaml").write_text("name: ACME\nlanguage: en\nmail: office@acme.example\n")
    (routing / "prompts" / "fr").mkdir()
    write_wav(routing / "prompts" / "fr" / "welcome.wav", tone((FRENCH_WELCOME,), round(0.5 * RATE)))
    for name, hz in PROMPTS.items():
        write_wav(routing / "prompts" / f"{name}.wav", tone((hz,), round(SECONDS.get(name, 0.5) * RATE)))


def write_numbers(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """A new folder with a file for each of these service numbers."""
    folder.mkdir()
    for number, settings in files.items():
        terms = {"number": number, "owner": "acme", "timezone": "Europe/Brussels", **settings}
        (folder / f"n{number.removeprefix('+')}.yaml").write_text(json.dumps(terms))


def write_ready(routing: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Numbers for tests to come, some of them recorded, and the destination of each.

    A change of the routing takes a second: a test whose number is there already saves it.
    """
    ready, recorded = ([(new_number(), new_destination()) for _ in range(READY)] for _ in range(2))
    write_numbers(routing / "numbers" / "ready", {number: {"route": [{"ring": to}]} for number, to in ready})
    files = {}
    for number, to in recorded:
        owner = f"owner{number.removeprefix('+')}"
        (routing / "owners" / f"{owner}.yaml").write_text(RECORDED)
        files[number] = {"route": [{"ring": to}], "owner": owner, "record": "announce"}
    write_numbers(routing / "numbers" / "recorded", files)
    return ready, recorded
