"""Asterisks that crash: each fails the test in which it did, and leaves its core, its logs and a backtrace.

Many tests kill Asterisk and start it again. One that has crashed meanwhile must not pass for a killed one.
"""

import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import pytest

from devkit.asterisk import Endpoint, launch
from devkit.asterisk_tree import Tree
from devkit.children import tail

# No test sends one of these to an Asterisk.
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}
PATTERN = Path("/proc/sys/kernel/core_pattern")
SHOWN = 30  # lines of a backtrace
GDB_SECONDS = 60


@dataclass(frozen=True)
class Started:
    """An Asterisk, and the folder in which the kernel leaves its core."""

    process: "subprocess.Popen[bytes]"
    program: str
    log: Path
    folder: Path

    @property
    def crash(self) -> signal.Signals | None:
        """The signal that ended it, if that is a crash."""
        ended = self.process.poll()
        return next((it for it in CRASHES if ended == -it), None)

    def report(self, crash: signal.Signals) -> str:
        """What is known of the crash. Keep the core and the logs, which a test's own folder may not."""
        kept = Path(mkdtemp(prefix="callengine-crash-"))
        for file in (*self.folder.glob("core*"), *self.log.parent.glob("*")):
            if file.is_file():
                shutil.move(file, kept) if file.parent == self.folder else shutil.copy(file, kept)
        core = next(kept.glob("core*"), None)
        lines = [
            f"Asterisk (process {self.process.pid}) ended by {crash.name}, which no test sends.",
            f"Kept in {kept}: {sorted(file.name for file in kept.iterdir())}",
            f"Its log ends with: {tail(self.log)}",
            backtrace(self.program, core) if core else f"No core: the kernel has {PATTERN.read_text()!r}",
        ]
        return "\n".join(lines)


def backtrace(program: str, core: Path) -> str:
    """The thread that crashed first, all others in a file beside the core."""
    if (gdb := shutil.which("gdb")) is None:
        return "No backtrace: gdb is not installed."
    command = [gdb, "-batch", "-nx", "-ex", "bt", "-ex", "thread apply all bt", program, str(core)]
    shown = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, timeout=GDB_SECONDS
    )
    core.with_name("backtrace").write_text(shown.stdout)
    frames = [line for line in shown.stdout.splitlines() if re.match("#|Program terminated", line)]
    return "\n".join(frames[:SHOWN])


@dataclass
class Crashes:
    """All Asterisks that this process starts."""

    _started: list[Started] = field(default_factory=list)

    def launch(self, tree: Tree, endpoint: Endpoint) -> "subprocess.Popen[bytes]":
        """Start one that may leave a core."""
        folder = endpoint.log.parent.with_name("core")
        folder.mkdir(exist_ok=True)
        process = launch(tree, endpoint, folder)
        _, most = resource.prlimit(process.pid, resource.RLIMIT_CORE)
        resource.prlimit(process.pid, resource.RLIMIT_CORE, (most, most))
        self._started.append(Started(process, str(tree.command[0]), endpoint.log, folder))
        return process

    def new(self) -> list[str]:
        """A report of each crash that has not been reported yet."""
        ended = [it for it in self._started if it.process.poll() is not None]
        self._started = [it for it in self._started if it not in ended]
        return [it.report(crash) for it in ended if (crash := it.crash) is not None]

    def check(self) -> None:
        """Raise AssertionError if one has crashed."""
        crashed = self.new()
        assert not crashed, "\n\n".join(crashed)


@contextmanager
def watched() -> Iterator[Crashes]:
    """Every Asterisk that this process starts meanwhile is watched."""
    crashes = Crashes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("devkit.asterisk.launch", crashes.launch)
        yield crashes
