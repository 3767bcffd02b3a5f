"""Before the first call: is this Asterisk fit to take calls? If not: what to do.

Only what makes calls impossible, or their bills wrong, is refused. Of folders and disks engine.disk warns.
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

# What the engine asks of Asterisk; asterisk/etc/modules.conf names these and what they need themselves.
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


class Asked(Protocol):
    """The questions put to Asterisk; `engine.ari.client.Client.asterisk` answers them."""

    async def get_info(self) -> AsteriskInfo: ...
    async def list_modules(self) -> Sequence[ModuleInfo]: ...
    async def ping(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, on which `refusals` decides. `ahead`: by how much Asterisk's clock is ahead of ours."""

    version: str
    running: frozenset[str]
    ahead: timedelta


async def examine(asterisk: Asked) -> Findings:
    """Ask Asterisk. Raises AriError when it does not answer."""
    info, modules = await asterisk.get_info(), await asterisk.list_modules()
    return Findings(
        version=info.version,
        running=frozenset(module.name for module in modules if module.running),
        ahead=await _ahead(asterisk),
    )


def refusals(found: Findings) -> list[str]:
    """Why calls cannot be taken, each with what to do about it; empty when all is well."""
    return [*_of_version(found), *_of_modules(found), *_of_clock(found)]


def _of_version(found: Findings) -> Iterable[str]:
    oldest = ".".join(map(str, OLDEST))
    number = re.match(r"(\d+)\.(\d+)\.(\d+)", found.version)
    if number is None or tuple(map(int, number.groups())) < OLDEST:
        yield f"Asterisk is {found.version}; install {oldest} or later (asterisk/fetch-asterisk.sh has it)"


def _of_modules(found: Findings) -> Iterable[str]:
    if missing := sorted(MODULES - found.running):
        lines = ", ".join(f"load = {name}" for name in missing)
        yield f"Asterisk lacks modules the engine needs; write into modules.conf and restart it: {lines}"


def _of_clock(found: Findings) -> Iterable[str]:
    if abs(found.ahead) > CLOCKS_APART:
        seconds = found.ahead.total_seconds()
        apart = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'}"
        yield (
            f"Asterisk's clock is {apart} this machine's; "
            "call records are charged by it: run one time service (chrony) on both"
        )


async def _ahead(asterisk: Asked) -> timedelta:
    """Asterisk's clock minus ours at the middle of the request."""
    before = datetime.now(UTC)
    theirs = await asterisk.ping()
    return theirs - (before + (datetime.now(UTC) - before) / 2)
