"""Before the first call: whether this Asterisk is fit for calls, and if not, what to do.

It is refused only if calls are impossible or their bills wrong. engine.disk warns of folders and disks.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from engine.ari.state import AsteriskInfo, ModuleInfo

# Variables that events report need 22.10.0; 22.10.1 closes a hole in ARI and a crash by NOTIFY.
OLDEST = (22, 10, 1)
CLOCKS_APART = timedelta(seconds=2)

# What the engine uses; asterisk/etc/modules.conf names these modules and those that they need.
NAMES = """
app_celgenuserevent app_dial app_mixmonitor app_playback app_stack app_stasis
bridge_simple
cel_custom chan_pjsip
format_sln format_wav
func_callerid func_channel func_cut func_global func_groupcount func_hangupcause func_logic func_strings
func_timeout
pbx_config
res_ari res_ari_applications res_ari_asterisk res_ari_channels res_ari_events
res_ari_playbacks res_ari_recordings
res_pjsip_caller_id res_pjsip_header_funcs res_pjsip_sdp_rtp
res_rtp_asterisk
res_stasis_answer res_stasis_playback res_stasis_recording res_stasis_snoop
res_websocket_client
"""
MODULES = frozenset(f"{name}.so" for name in NAMES.split())


class AsteriskQueries(Protocol):
    """The queries; implemented by `engine.ari.client.Client.asterisk`."""

    async def get_info(self) -> AsteriskInfo: ...
    async def list_modules(self) -> Sequence[ModuleInfo]: ...
    async def ping(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Findings:
    """What `refusals` decides on. `ahead`: Asterisk's clock minus ours."""

    version: str
    running: frozenset[str]
    ahead: timedelta


async def examine(asterisk: AsteriskQueries) -> Findings:
    """Query Asterisk. Raises AriError if it does not answer."""
    info, modules = await asterisk.get_info(), await asterisk.list_modules()
    return Findings(
        version=info.version,
        running=frozenset(module.name for module in modules if module.running),
        ahead=await _ahead(asterisk),
    )


def refusals(findings: Findings) -> list[str]:
    """Return why calls cannot be taken, each with the remedy; empty if all is well."""
    return [*_of_version(findings), *_of_modules(findings), *_of_clock(findings)]


def _of_version(findings: Findings) -> Iterable[str]:
    oldest = ".".join(map(str, OLDEST))
    number = re.match(r"(\d+)\.(\d+)\.(\d+)", findings.version)
    if number is None or tuple(map(int, number.groups())) < OLDEST:
        yield f"Asterisk is {findings.version}; install {oldest} or later (see asterisk/fetch-asterisk.sh)"


def _of_modules(findings: Findings) -> Iterable[str]:
    if missing := sorted(MODULES - findings.running):
        lines = ", ".join(f"load = {name}" for name in missing)
        yield f"Asterisk lacks modules the engine needs; add to modules.conf and restart Asterisk: {lines}"


def _of_clock(findings: Findings) -> Iterable[str]:
    if abs(findings.ahead) > CLOCKS_APART:
        seconds = findings.ahead.total_seconds()
        apart = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'}"
        yield (
            f"Asterisk's clock is {apart} this machine's; "
            "call records are charged by it: run one time service (chrony) on both"
        )


async def _ahead(asterisk: AsteriskQueries) -> timedelta:
    """Return Asterisk's clock minus ours at the middle of the request."""
    before = datetime.now(UTC)
    theirs = await asterisk.ping()
    return theirs - (before + (datetime.now(UTC) - before) / 2)
