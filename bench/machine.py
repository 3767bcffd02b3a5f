"""On what, when, and of which code a run was: a figure without them means nothing."""

import os
import platform
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from devkit.asterisk_tree import Tree

ROOT = Path(__file__).resolve().parents[1]


def described() -> dict[str, str | int | float]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "asterisk": said([*Tree.find().command, "-V"]).removeprefix("Asterisk "),
        "load": round(os.getloadavg()[0], 2),
    }


def is_busy() -> bool:
    """Whether others use this machine so much that figures of this run say more about them."""
    return os.getloadavg()[0] > 0.5 * len(os.sched_getaffinity(0))


class Others:
    """What others take of this machine's processor, from here on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = self._taken()

    def share(self) -> float:
        """Of all its cores, 0 to 1. Our children count as ours once they have ended."""
        cores = len(os.sched_getaffinity(0))
        return max(self._taken() - self._before, 0) / (time.monotonic() - self._began) / cores

    def _taken(self) -> float:
        """CPU seconds of everybody, but for ours."""
        first = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
        user, nice, system, _idle, _waits, irq, softirq, steal, *_guests = map(int, first)
        everybody = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        return everybody - sum(os.times()[:4])


def commit() -> str:
    """The commit, with a + where files differ from it."""
    changed = said(["git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no"])
    return said(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]) + ("+" if changed else "")


def processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def said(command: list[str]) -> str:
    """What the command prints; nothing, where there is no such command or it fails."""
    try:
        shown = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return shown.stdout.strip()
