"""CPU and memory of a process and its children, from /proc."""

import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True, slots=True)
class Status:
    """A process's parent, and the CPU seconds of itself and of children it has waited for."""

    parent: int
    cpu: float


def status(pid: int) -> Status:
    # The name, in parentheses, may contain anything; the fields after the last parenthesis are fixed.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Status(int(fields[1]), sum(map(int, fields[11:15])) / TICKS)


def families(roots: Mapping[str, int]) -> dict[str, dict[int, Status]]:
    """For each name the process with that id and all its descendants, as they are now."""
    every = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(*GONE):
                every[int(entry.name)] = status(int(entry.name))
    children = defaultdict(list)
    for pid, process in every.items():
        children[process.parent].append(pid)
    return {name: {pid: every[pid] for pid in below(root, children)} for name, root in roots.items()}


def below(root: int, children: Mapping[int, list[int]]) -> list[int]:
    family = [root]
    for pid in family:
        family += children.get(pid, [])
    return family


def cpu_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds of each since its start, including children that have ended."""
    return {name: sum(process.cpu for process in family.values()) for name, family in families(roots).items()}


def resident_bytes(pid: int) -> int:
    """The private memory of a process, plus its share of shared memory (PSS).

    For the engine only root can read that (process/no_core.py); other users get its RSS.
    """
    try:
        text, name = Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss:"
    except PermissionError:
        text, name = Path(f"/proc/{pid}/status").read_text(), "VmRSS:"
    return 1024 * int(next(line for line in text.splitlines() if line.startswith(name)).split()[1])
