"""Which Asterisk the engine was last connected to, and the state of the clock; for the next engine.

Calls end with their Asterisk, and its channel ids begin again: so the next engine must recognize a restart.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from engine.ari.restarts import Restart

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Seen:
    """`started`: when Asterisk did, by its own account. `offset`: wall clock minus steady clock, in ns
    (process.clock). `restarts`: those that engines have noticed; calls from before them may be left."""

    started: datetime
    offset: int
    restarts: tuple[Restart, ...] = ()


def load(file: Path) -> Seen | None:
    """Return what the file contains; None if it is missing or unreadable."""
    try:
        content = json.loads(file.read_text())
        return Seen(
            datetime.fromisoformat(content["started"]),
            int(content["offset"]),
            tuple(
                Restart(datetime.fromisoformat(since), datetime.fromisoformat(known))
                for since, known in content.get("restarts", ())
            ),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        log.warning("asterisk_state_unreadable", file=str(file), error=type(error).__name__)
        return None


def save(file: Path, seen: Seen) -> None:
    """Replace the file. It is not synced: after a power cut there is no call left that would need it."""
    draft = file.with_suffix(".draft")
    restarts = [(it.since.isoformat(), it.known.isoformat()) for it in seen.restarts]
    content = {"started": seen.started.isoformat(), "offset": seen.offset, "restarts": restarts}
    try:
        draft.write_text(json.dumps(content))
        draft.replace(file)
    except OSError as error:
        log.warning("asterisk_state_not_saved", file=str(file), error=type(error).__name__)
