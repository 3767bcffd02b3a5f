"""Results as files: JSON, the plot, and the figures of docs/performance.md."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.bars import bars
from bench.plot import plot
from bench.tables import tables

BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"


def keep(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write performance.json and the two pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "performance.json": json.dumps(results, indent=1) + "\n",
        "performance.svg": plot(results),
        "performance-sound.svg": bars(results),
    }
    for name, content in files.items():
        (folder / name).write_text(content, "utf-8")
    return [folder / name for name in files]


def fill(page: Path, results: Mapping[str, Any]) -> None:
    """Write the figures into the page, between its two marks."""
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} lacks `{BEGIN}` or `{END}`; add them where the figures belong")
    pictures = (
        "![Setup time against call rate](performance.svg)",
        "![CPU of calls with sound](performance-sound.svg)",
    )
    figures = [heading(results["machine"]), *pictures, tables(results)]
    page.write_text("\n\n".join([before + begin, *figures]) + f"\n{end}{after}", "utf-8")


def heading(machine: Mapping[str, Any]) -> str:
    return (
        f"{machine['date']}, commit {machine['commit']}; {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gb']:g} GB, Linux {machine['kernel']}; Asterisk {machine['asterisk']}, "
        f"Python {machine['python']}; load average before the run {machine['load']:g}; other processes used "
        f"{machine['others']:.0%} of the processor."
    )
