"""A clock that a test sets, for all processes that it starts: libfaketime, loaded into each of them.

CLOCK_BOOTTIME and CLOCK_MONOTONIC go on as they are, as when a machine's clock is set. One thing differs: a
thread that waits for an instant of the wall clock does not wake up earlier for it.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FETCH = Path(__file__).parents[2] / "scripts" / "fetch-faketime.sh"
PATIENCE = 300  # s, for 0.1 MB


class Hands:
    """The clock's: `set` puts it so many seconds off the true time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{seconds:+d}\n")
        draft.replace(self._file)


def library() -> Path:
    """Where libfaketime lies; it is fetched when it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callengine" / "faketime"
    subprocess.run([FETCH, cache], check=True, timeout=PATIENCE)
    return next(cache.glob("tree/usr/lib/*/faketime/libfaketimeMT.so.1"))


@contextmanager
def settable(folder: Path) -> Iterator[Hands]:
    """Every process that is started meanwhile goes by the clock that these hands set."""
    hands = Hands(folder / "clock")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LD_PRELOAD", str(library()))
        patched.setenv("FAKETIME_TIMESTAMP_FILE", str(folder / "clock"))
        patched.setenv("FAKETIME_NO_CACHE", "1")
        patched.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        patched.setenv("FAKETIME_DISABLE_SHM", "1")
        yield hands
