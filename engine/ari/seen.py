"""Which Asterisk the engine has settled with, and how the clock stood: on the disk, for the next engine.

Calls end with their Asterisk, and its channel ids begin anew: so one has to know that it is another one.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Seen:
    """`started`: when Asterisk did, as it says itself. `offset`: by how many ns the wall clock was ahead of
    the steady one (process.clock)."""

    started: datetime
    offset: int


def load(file: Path) -> Seen | None:
    """None where there is no such file, or none that can be read: then nothing is known."""
    try:
        told = json.loads(file.read_text())
        return Seen(datetime.fromisoformat(told["started"]), int(told["offset"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("asterisk_seen_unreadable", file=str(file), error=type(error).__name__)
        return None


def save(file: Path, seen: Seen) -> None:
    """Not synced: after a power cut no call is left that this would be of use for."""
    draft = file.with_suffix(".draft")
    try:
        draft.write_text(json.dumps({"started": seen.started.isoformat(), "offset": seen.offset}))
        draft.replace(file)
    except OSError as error:
        log.warning("asterisk_seen_not_saved", file=str(file), error=type(error).__name__)
