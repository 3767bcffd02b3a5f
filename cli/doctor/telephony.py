"""Asterisk: fit for calls, told that the engine lives, with the fallbacks, and reaching the carrier."""

import asyncio
import re
from pathlib import Path

from cli.doctor.finding import Finding, warning
from cli.doctor.scene import Scene
from config.errors import ConfigErrors
from config.load import load
from config.rules import policy_of
from engine.ari.errors import AriError
from engine.checks import examine, refusals
from engine.fallback import NAME, with_national

ALIVE_SECONDS = 5  # extensions.conf
FILES_OF_LEG = 5  # descriptors: measured, 1,637 calls of two legs with maxfiles 16384


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


async def limits(scene: Scene) -> list[Finding]:
    """No load average makes Asterisk refuse calls, and it may open the files that its calls need."""
    etc = scene.settings.asterisk.etc_dir
    file = etc / "asterisk.conf" if etc else None
    if file is None or not file.exists():
        return []
    values = dict(re.findall(r"^(maxload|maxfiles|maxcalls)\s*=\s*([0-9.]+)", file.read_text("utf-8"), re.M))
    findings = []
    if float(values.get("maxload", 0)) > 0:
        what = f"maxload is {values['maxload']}: a backup makes Asterisk refuse every call"
        findings.append(warning(what, "maxload = 0 in asterisk.conf"))
    files, legs = int(values.get("maxfiles", 1024)), int(values.get("maxcalls", 400))
    if files < legs * FILES_OF_LEG:
        what = f"maxfiles is {files}: calls fail from {files // (2 * FILES_OF_LEG)} at once on"
        findings.append(Finding(what, f"maxfiles = {legs * FILES_OF_LEG} in asterisk.conf, or fewer lines"))
    return findings


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
