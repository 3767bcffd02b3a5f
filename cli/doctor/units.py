"""Whether the units run, and run what is installed."""

import os
from collections.abc import Iterator

from cli.doctor.finding import Finding, warning
from cli.doctor.scene import Scene

SERVERS = ("callengine-asterisk", "callengine-engine", "callengine-worker")
PROPERTIES = "ActiveState,UnitFileState,NeedDaemonReload,MainPID,Result,LimitNOFILE"


async def properties(scene: Scene, unit: str) -> dict[str, str]:
    """What systemd says of the unit."""
    reply = await scene.run("systemctl", "show", unit, f"--property={PROPERTIES}")
    return dict(line.partition("=")[::2] for line in reply.text.splitlines())


async def units(scene: Scene) -> list[Finding]:
    """Every server runs, and starts with the host."""
    return [finding for unit in SERVERS for finding in of_server(unit, await properties(scene, unit))]


def of_server(unit: str, state: dict[str, str]) -> Iterator[Finding]:
    if state.get("ActiveState") != "active":
        what = f"{unit} is {state.get('ActiveState') or 'unknown'}"
        yield Finding(what, f"systemctl enable --now {unit}; journalctl -u {unit} says why it ended")
    elif state.get("UnitFileState") != "enabled":
        yield Finding(f"{unit} would not start with the host", f"systemctl enable {unit}")
    if state.get("NeedDaemonReload") == "yes":
        yield warning(f"the file of {unit} has changed since it was read", "systemctl daemon-reload")


async def audit(scene: Scene) -> list[Finding]:
    """The nightly audit is on, and the last one found nothing."""
    timer = await properties(scene, "callengine-audit.timer")
    service = await properties(scene, "callengine-audit.service")
    findings = []
    if timer.get("ActiveState") != "active":
        findings.append(Finding("the nightly audit is off", "systemctl enable --now callengine-audit.timer"))
    if service.get("ActiveState") == "failed":
        remedy = "journalctl -u callengine-audit; then systemctl reset-failed callengine-audit"
        findings.append(Finding("the last audit has findings, or was aborted", remedy))
    return findings


async def versions(scene: Scene) -> list[Finding]:
    """Asterisk is the installed one: a package does not restart it."""
    pid = (await properties(scene, "callengine-asterisk")).get("MainPID", "0")
    if pid == "0" or not is_replaced(scene, pid):
        return []
    what = "Asterisk has been updated, and the running one is still the former"
    return [warning(what, "when no call is live: systemctl restart callengine-asterisk")]


def is_replaced(scene: Scene, pid: str) -> bool:
    """Whether the program of this process is no longer on the disk."""
    return os.readlink(scene.proc / pid / "exe").endswith(" (deleted)")


async def priority(scene: Scene) -> list[Finding]:
    """Asterisk runs with real-time priority."""
    pid = (await properties(scene, "callengine-asterisk")).get("MainPID", "0")
    if pid == "0" or policy_of(scene, pid) == os.SCHED_RR:
        return []
    what = "Asterisk has no real-time priority: on a busy host it records too late"
    return [warning(what, "run it by its unit, unchanged; a container must allow SCHED_RR")]


def policy_of(scene: Scene, pid: str) -> int:
    """The scheduling policy of a process: field 41 of its stat. Its name, in parentheses, may have spaces."""
    fields = (scene.proc / pid / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return int(fields[38])
