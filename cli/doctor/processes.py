"""What engine and worker say of themselves, and what the routing folder says."""

import asyncio
import json
import math
import re

import aiohttp

from cli.doctor.finding import Finding, warning
from cli.doctor.scene import Scene
from config.errors import ConfigErrors
from config.load import load
from config.rules import policy_of

BACKUP_SECONDS = 30 * 3600
BACKLOG_BYTES = 64 * 2**20


async def engine(scene: Scene) -> list[Finding]:
    """The engine takes calls."""
    return await readiness(scene, scene.engine, "callengine-engine")


async def worker(scene: Scene) -> list[Finding]:
    """The worker stores, mails and destroys."""
    return await readiness(scene, scene.worker, "callengine-worker")


async def readiness(scene: Scene, address: str, unit: str) -> list[Finding]:
    """The reasons and warnings of /ready."""
    try:
        answer = json.loads((await scene.fetch(f"{address}/ready")).text)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        what = f"{address}/ready does not answer: {error}"
        return [Finding(what, f"systemctl status {unit}; journalctl -u {unit}")]
    remedy = f"correct it, or look at journalctl -u {unit}"
    reasons = [Finding(str(reason), remedy) for reason in answer["reasons"]]
    return [*reasons, *(warning(str(text), remedy) for text in answer["warnings"])]


async def metrics(scene: Scene) -> list[Finding]:
    """Nothing waits or is lost, according to the metrics."""
    pages = [await scene.fetch(f"{address}/metrics") for address in (scene.engine, scene.worker)]
    values = values_of("\n".join(page.text for page in pages))
    beyond = [
        Finding(f"{name} is {values[name]:g}", remedy)
        for name, most, remedy in LIMITS
        if values.get(name, 0) > most
    ]
    return [*beyond, *of_backup(values.get("callengine_backup_age_seconds", 0))]


def of_backup(age: float) -> list[Finding]:
    """`age`: seconds since the last backup, infinite if there is none."""
    if age <= BACKUP_SECONDS:
        return []
    what = f"the last backup is {age / 3600:.0f} hours old" if math.isfinite(age) else "there is no backup"
    return [warning(what, "callengine backup, every night (docs/operating.md, Backup)")]


LIMITS = (
    ("callengine_journal_degraded", 0, "make room: the journal is in memory only; do not restart the engine"),
    ("callengine_journal_damaged", 0, "look at the disk (dmesg, SMART); the worker's log has the places"),
    ("callengine_dead_letters", 0, "callengine audit names each"),
    ("callengine_calls_unreadable", 0, "look at the disk, and whether an older version runs"),
    ("callengine_reconcile_differences", 0, "callengine reconcile explains each"),
    ("callengine_destructions_overdue", 0, "the worker's log says why"),
    ("callengine_drain_backlog_bytes", BACKLOG_BYTES, "the worker's log: is the database away?"),
    ("callengine_routing_reload_failed", 0, "callengine check FOLDER"),
)


def values_of(text: str) -> dict[str, float]:
    """The metrics without labels, by name."""
    return {
        name: float(value) for name, value in re.findall(r"^(callengine_\w+) ([0-9.e+Inf-]+)$", text, re.M)
    }


async def routing(scene: Scene) -> list[Finding]:
    """The routing folder could go live as it is."""
    policy = policy_of(scene.settings)
    try:
        await asyncio.to_thread(load, scene.settings.routing, policy)
    except ConfigErrors as errors:
        remedy = "correct the file; until then the previous routing stays in force"
        return [Finding(str(error), remedy) for error in errors.errors]
    return []
