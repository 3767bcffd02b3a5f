"""Asterisk: fit for calls, told that the engine lives, with what it needs, and reaching the carrier."""

import asyncio
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.doctor.finding import Finding, warning
from cli.doctor.scene import Scene
from cli.doctor.units import properties
from config.errors import ConfigErrors
from config.load import load
from config.rules import policy_of
from engine.ari.errors import AriError
from engine.checks import examine, refusals
from engine.fallback import NAME, with_national

ALIVE_SECONDS = 5  # extensions.conf
FILES_OF_LEG = 5  # descriptors: measured, 1,637 calls of two legs with maxfiles 16384
UNITS = ("callengine-asterisk", "asterisk")  # ours, or that of an Asterisk which was there before


async def asterisk(scene: Scene) -> list[Finding]:
    """Version, modules and clock of Asterisk are fit for calls."""
    try:
        async with scene.asterisk() as client:
            found = await examine(client.asterisk)
    except AriError as error:
        remedy = "systemctl status callengine-asterisk; [ari] and the credential ari__password"
        return [Finding(f"Asterisk does not answer: {error}", remedy)]
    return [Finding(refusal, "see docs/operating.md, Asterisk") for refusal in refusals(found)]


async def alive(scene: Scene) -> list[Finding]:
    """The dialplan knows that the engine lives: otherwise every caller reaches the fallback."""
    async with scene.asterisk() as client:
        told = await client.asterisk.get_global_var("ENGINE_ALIVE")
        now = (await client.asterisk.ping()).timestamp()
    if told.isdecimal() and now - int(told) <= ALIVE_SECONDS:
        return []
    age = f"{now - int(told):.0f} s old" if told.isdecimal() else "not set"
    remedy = "the engine's /ready and log: do Asterisk's events arrive (websocket_client.conf)?"
    return [Finding(f"ENGINE_ALIVE is {age}: callers reach the fallback", remedy)]


async def fallback(scene: Scene) -> list[Finding]:
    """Asterisk has the fallbacks of the routing."""
    settings = scene.settings
    if settings.asterisk.etc_dir is None:
        return []
    try:
        routing = await asyncio.to_thread(load, settings.routing, policy_of(settings))
    except ConfigErrors:
        return []  # the check `routing` reports them
    wanted = with_national(routing.fallbacks, settings.country)
    there = table_of(settings.asterisk.etc_dir / NAME)
    apart = sorted(key for key in wanted.keys() | there.keys() if wanted.get(key, "") != there.get(key, ""))
    if not apart:
        return []
    what = f"{NAME} differs from the routing folder, for {', '.join(apart[:5])}"
    return [
        Finding(
            what, "callengine check FOLDER; the engine's log has fallback_not_published if it cannot write"
        )
    ]


def table_of(file: Path) -> dict[str, str]:
    """The fallbacks that Asterisk's file has; none if there is no file."""
    text = file.read_text("utf-8") if file.exists() else ""
    return dict(re.findall(r"^FB_([0-9]+)=(.*)$", text, re.M))


@dataclass(frozen=True, slots=True)
class Values:
    """What asterisk.conf says: `legs` at once (maxcalls), open `files`, and the `load` that refuses calls."""

    legs: int
    files: int
    load: float

    @property
    def needed(self) -> int:
        """How many files so many legs open."""
        return self.legs * FILES_OF_LEG


def values_of(scene: Scene) -> Values | None:
    etc = scene.settings.asterisk.etc_dir
    file = etc / "asterisk.conf" if etc else None
    if file is None or not file.exists():
        return None
    values = dict(re.findall(r"^(maxload|maxfiles|maxcalls)\s*=\s*([0-9.]+)", file.read_text("utf-8"), re.M))
    return Values(
        int(values.get("maxcalls", 400)), int(values.get("maxfiles", 1024)), float(values.get("maxload", 0))
    )


async def limits(scene: Scene) -> list[Finding]:
    """No load average makes Asterisk refuse calls, and it may open the files that its calls need."""
    values = values_of(scene)
    if values is None:
        return []
    findings = []
    if values.load > 0:
        what = f"maxload is {values.load:g}: a backup makes Asterisk refuse every call"
        findings.append(warning(what, "maxload = 0 in asterisk.conf"))
    if values.files < values.needed:
        what = f"maxfiles is {values.files}: calls fail from {values.files // (2 * FILES_OF_LEG)} at once on"
        findings.append(Finding(what, f"maxfiles = {values.needed} in asterisk.conf, or fewer lines"))
    return findings


async def descriptors(scene: Scene) -> list[Finding]:
    """The running Asterisk may open the files that its calls need: its unit can allow fewer than maxfiles."""
    values = values_of(scene)
    for unit in UNITS if values else ():
        of_unit = await properties(scene, unit)
        if values and (pid := of_unit.get("MainPID", "0")) != "0":
            most = number_of(of_unit.get("LimitNOFILE", ""))
            return list(of_process(values, unit, most, limit_of(scene, pid)))
    return []


def of_process(values: Values, unit: str, most: float, limit: float | None) -> Iterator[Finding]:
    """`most`: what the unit allows; `limit`: what the process has, None if that cannot be read."""
    if (limit := most if limit is None else limit) >= values.needed:
        return
    calls = limit // (2 * FILES_OF_LEG)
    what = f"the running Asterisk may open {limit:.0f} files: calls fail from {calls:.0f} at once on"
    restart = f"when no call is live: systemctl restart {unit}"
    if most < values.needed:
        yield Finding(
            what, f"LimitNOFILE={values.needed} by systemctl edit {unit}, or fewer lines; then, {restart}"
        )
    elif values.files >= values.needed:  # otherwise the check `limits` reports it
        yield Finding(what, f"it was started with a smaller maxfiles; {restart}")


def limit_of(scene: Scene, pid: str) -> float | None:
    """How many files this process may open; None if its limits cannot be read, as with hidepid."""
    try:
        text = (scene.proc / pid / "limits").read_text("utf-8")
    except OSError:
        return None
    soft = re.search(r"^Max open files\s+(\w+)", text, re.M)
    return number_of(soft[1]) if soft else None


def number_of(text: str) -> float:
    """A limit as systemd or the kernel writes it; a word such as infinity means no limit."""
    return int(text) if text.isdecimal() else math.inf


async def trunk(scene: Scene) -> list[Finding]:
    """The carrier answers OPTIONS, if it is asked."""
    reply = await scene.run("asterisk", "-rx", "pjsip show contacts")
    if reply.status != 0:
        return [
            Finding(
                f"asterisk -rx failed: {reply.text.strip()[:200]}", "systemctl status callengine-asterisk"
            )
        ]
    contacts = re.findall(
        r"^\s*Contact:\s+(\S+)\s+\S+\s+(Avail|Unavail|NonQual|Unknown|Created)\b", reply.text, re.M
    )
    if not contacts:
        return [Finding("no carrier is configured", "lay-out.sh with CARRIER in asterisk.values")]
    remedy = "is the carrier up, and does it answer OPTIONS? If it never does: QUALIFY_SECONDS=0"
    return [Finding(f"{name} does not answer", remedy) for name, state in contacts if state == "Unavail"]
