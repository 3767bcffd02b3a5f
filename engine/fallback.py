"""The fallback table: the number that Asterisk dials by itself when the engine is away."""

import re
from collections.abc import Mapping
from pathlib import Path

import structlog

from dialplan.address import bare
from dialplan.routing import Routing
from engine.ari.client import Client
from engine.ari.errors import AriError
from engine.included import IncludedFile
from engine.trunk_origins import HEAD

log = structlog.get_logger()

NAME = "fallback.conf"
# An alternative, `DB()`, cannot be written over ARI with live_dangerously=no: 204, and nothing happens.
RELOADED_BY = "pbx_config.so"


class FallbackTable:
    """The file in Asterisk's configuration folder `etc` that extensions.conf includes. No `etc`: no file.

    `country`: the calling code of numbers that the trunk dials in national form, or empty.
    """

    def __init__(self, etc: Path | None, client: Client, country: str) -> None:
        self._file = IncludedFile(etc / NAME, RELOADED_BY, client) if etc else None
        self._country = country

    async def publish(
        self, routing: Routing, trunks: Mapping[str, str] | None, origins: str | None = None
    ) -> None:
        """Give Asterisk the fallbacks, and what [connect] does for each carrier (engine.trunk_terms).

        `origins`: the context by which calls are a carrier's (engine.trunk_origins). None: as before.
        """
        if self._file is None:
            return
        table = with_national(routing.fallbacks, self._country)
        try:
            await self._file.publish(lambda old: render(table, old, trunks, origins))
        except (OSError, AriError) as error:
            log.warning("fallback_not_published", error=str(error))


def with_national(fallbacks: Mapping[str, str], country: str) -> dict[str, str]:
    """Return the table with each number in both forms that the trunk may dial: digits, and national form."""
    national = {
        f"0{key.removeprefix(country)}": to
        for key, to in fallbacks.items()
        if country and key.startswith(country)
    }
    return {**national, **fallbacks}


def render(
    table: Mapping[str, str], old: str, trunks: Mapping[str, str] | None = None, origins: str | None = None
) -> str:
    """Return the file: one global variable for each number, and those of the carriers; None: as in `old`.

    Asterisk keeps a global variable whose line is removed: so the line stays, with an empty value.
    """
    removed = re.findall(r"^FB_([0-9]+)=", old, re.MULTILINE)
    values = {**dict.fromkeys(removed, ""), **table}
    former = dict(re.findall(r"^((?:NEXT|TERMS)_[a-z-]+|SIP_[a-z0-9.-]+|COUNTRY)=(.*)$", old, re.MULTILINE))
    present = former if trunks is None else {**dict.fromkeys(former, ""), **trunks}
    lines = [f"{name}={value}" for name, value in sorted(present.items())]
    lines += [f"FB_{key}={bare(to)}" for key, to in sorted(values.items())]
    if origins is None:
        _, head, former_origins = old.partition(HEAD)
        origins = head + former_origins
    head = "; Written by callengine at every change of the routing."
    return "\n".join([head, "[globals]", *lines, origins])
