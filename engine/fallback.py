"""The fallback table: what Asterisk dials by itself when the engine is away."""

import re
from collections.abc import Mapping
from pathlib import Path

import structlog

from dialplan.routing import Routing
from engine.ari.client import Client
from engine.ari.errors import AriError
from engine.included import IncludedFile

log = structlog.get_logger()

NAME = "fallback.conf"
# `DB()` cannot be written over ARI with live_dangerously=no (204, and nothing happens); this can.
RELOADED_BY = "pbx_config.so"


class FallbackTable:
    """The file in Asterisk's configuration folder `etc` that extensions.conf includes; None: there is none.

    `country` is the calling code of numbers that the trunk dials in national form, or empty.
    """

    def __init__(self, etc: Path | None, client: Client, country: str) -> None:
        self._file = IncludedFile(etc / NAME, RELOADED_BY, client) if etc else None
        self._country = country

    async def publish(self, routing: Routing) -> None:
        """Have Asterisk know the fallbacks."""
        if self._file is None:
            return
        table = spelt(routing.fallbacks, self._country)
        try:
            await self._file.publish(lambda old: render(table, old))
        except (OSError, AriError) as trouble:
            log.warning("fallback_not_published", error=str(trouble))


def spelt(fallbacks: Mapping[str, str], country: str) -> dict[str, str]:
    """The table under every spelling by which the dialplan looks it up: digits, or national form."""
    national = {
        f"0{key.removeprefix(country)}": to
        for key, to in fallbacks.items()
        if country and key.startswith(country)
    }
    return {**national, **fallbacks}


def render(table: Mapping[str, str], old: str) -> str:
    """One global variable per number. Asterisk keeps a global whose line has vanished: so it stays, empty."""
    gone = re.findall(r"^FB_([0-9]+)=", old, re.MULTILINE)
    lines = {**dict.fromkeys(gone, ""), **table}
    told = [f"FB_{key}={to}" for key, to in sorted(lines.items())]
    return "\n".join(["; Written by callengine at every change of the routing.", "[globals]", *told, ""])
