"""The fallback table: what Asterisk dials by itself when the engine is away."""

import asyncio
import os
from pathlib import Path

import structlog

from dialplan.routing import Routing
from engine.ari.client import Client
from engine.ari.errors import AriError

log = structlog.get_logger()

NAME = "fallback.conf"
# `DB()` cannot be written over ARI with live_dangerously=no (204, and nothing happens); this can.
RELOADED_BY = "pbx_config.so"


def render(routing: Routing) -> str:
    """The file that extensions.conf includes: one global variable per number that has a fallback."""
    lines = [f"FB_{key}={to}" for key, to in sorted(routing.fallbacks.items())]
    return "\n".join(["; Written by callengine at every change of the routing.", "[globals]", *lines, ""])


async def publish(routing: Routing, etc_dir: Path | None, client: Client) -> None:
    """Write the table and have Asterisk read it; live calls and global variables survive that."""
    if etc_dir is None:
        return
    try:
        if await asyncio.to_thread(_replace, etc_dir / NAME, render(routing)):
            await client.asterisk.reload_module(RELOADED_BY)
    except (OSError, AriError) as trouble:
        log.warning("fallback_not_published", error=str(trouble))


def _replace(path: Path, text: str) -> bool:
    """Whether the file had to change."""
    if path.exists() and path.read_text("ascii") == text:
        return False
    draft = path.with_suffix(".draft")
    draft.write_text(text, "ascii")
    os.replace(draft, path)
    return True
