"""What a process and its children take: CPU and memory, from /proc."""

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
    """Of one process: its parent, and the CPU seconds of itself and of the children it has waited for."""

    parent: int
    cpu: float


def status(pid: int) -> Status:
    # The name, in parentheses, may hold anything; what follows the last parenthesis is fixed.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Status(int(fields[1]), sum(map(int, fields[11:15])) / TICKS)


def families(roots: Mapping[str, int]) -> dict[str, dict[int, Status]]:
    """For each name the process of that id and all below it, as they are now."""
    every = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(*GONE):
                every[int(entry.name)] = status(int(entry.name))
    children = defaultdict(list)
    for pid, one in every.items():
        children[one.parent].append(pid)
    return {name: {pid: every[pid] for pid in below(root, children)} for name, root in roots.items()}


def below(root: int, children: Mapping[int, list[int]]) -> list[int]:
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """CPU time that each has taken since its start, children that have ended included, s."""
    return {name: sum(one.cpu for one in family.values()) for name, family in families(roots).items()}


def resident_bytes(pid: int) -> int:
    """Memory of one process that nobody else shares, plus its part of what is shared.

    The engine lets only root see that (process/no_core.py). For others: all that is its own or shared.
    """
    try:
        text, name = Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss:"
    except PermissionError:
        text, name = Path(f"/proc/{pid}/status").read_text(), "VmRSS:"
    return 1024 * int(next(line for line in text.splitlines() if line.startswith(name)).split()[1])
