"""Maintenance: while the engine is drained, new calls go to their number's fallback; live calls go on."""

from pathlib import Path

import structlog

log = structlog.get_logger()

DRAINED = "callengine drain: new calls get their number's fallback until callengine drain --off"


class Drain:
    """A file in the state folder, so that a restart of the engine changes nothing. Raises OSError."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self.is_on = file is not None and file.exists()

    @property
    def troubles(self) -> list[str]:
        """Why the engine takes no calls, for /ready."""
        return [DRAINED] if self.is_on else []

    def turn(self, *, on: bool, operator: str) -> None:
        """Begin or end it. Raises OSError if that would not outlive a restart; then nothing has changed."""
        if self._file is not None:
            if on:
                self._file.write_text("")
            else:
                self._file.unlink(missing_ok=True)
        self.is_on = on
        if on:
            log.warning("engine_drained", operator=operator)
        else:
            log.info("engine_undrained", operator=operator)
