"""callengine top: show live calls, the busiest numbers, the carriers, and what waits."""

import json
import re
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import format_option, settings_option, state_option

if TYPE_CHECKING:
    from config.settings import Settings

WORKER = ("drain_backlog_bytes", "messages", "sounds", "destructions_overdue", "backup_age_seconds")


@click.command()
@click.option("--every", type=click.FloatRange(0.5, 60), default=2.0, show_default=True, metavar="SECONDS",
              help="Seconds between two looks.")  # fmt: skip
@click.option("--once", is_flag=True, help="Show it once, and end.")
@format_option("text", "json")
@state_option()
@settings_option()
def command(*, every: float, once: bool, form: str, state: Path | None, settings: Path | None) -> None:
    """Show live calls, the ten numbers with the most, the carriers they came from, refused calls, and what
    the worker has to do.

    Until interrupted. Run it as root or as the engine's user, on the engine's host.
    """
    from cli.options import settings_in

    values = settings_in(settings, state)
    while True:
        shown = look(values)
        if form == "json":
            click.echo(json.dumps(shown))
        else:
            if not once:
                click.clear()
            click.echo(as_text(shown))
        if once:
            return
        time.sleep(every)


def look(settings: "Settings") -> dict[str, Any]:
    from cli.control import ask

    return {**ask(settings, "GET", "/top"), "worker": worker(settings)}


def worker(settings: "Settings") -> dict[str, float] | None:
    """What the worker's metrics say; None if it does not answer."""
    url = f"http://{settings.http.host}:{settings.http.worker_port}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            text = answer.read(2**20).decode()
    except (OSError, ValueError):
        return None
    found = re.findall(r"^callengine_([a-z_]+)(\{[^}]*\})? (\S+)$", text, re.M)
    return {f"{name}{labels}": float(value) for name, labels, value in found if name in WORKER}


def as_text(shown: dict[str, Any]) -> str:
    lines = [
        f"{shown['live']} live calls, journal {shown['journal_lag_seconds']:.3f} s behind"
        + (", DRAINED: new calls go to their fallback" if shown["drained"] else ""),
        *(f"  not ready: {reason}" for reason in shown["reasons"]),
        *(f"  warning: {warning}" for warning in shown["warnings"]),
        *(f"  {row['live']:5d}  {row['number']}" for row in shown["numbers"]),
        "from carriers: "
        + (", ".join(f"{row['trunk']} {row['live']}" for row in shown.get("trunks", ())) or "none"),
        "refused: " + (", ".join(f"{why} {n:.0f}" for why, n in shown["refused"].items() if n) or "none"),
    ]
    if shown["worker"] is None:
        return "\n".join([*lines, "the worker does not answer"])
    waiting = [f"{name} {value:g}" for name, value in shown["worker"].items() if value]
    return "\n".join([*lines, "worker: " + (", ".join(waiting) or "nothing waits")])
