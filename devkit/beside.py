"""Commands beside a run: what `callengine COMMAND` prints of it."""

import asyncio
import json
import sys
from typing import Any

from devkit.stack import Stack


async def callengine(run: Stack, *command: str) -> bytes:
    """What it prints; nothing if it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", *command),
        stdout=asyncio.subprocess.PIPE,
        env=run.full_environment(),
    )
    return (await process.communicate())[0]


async def listed(run: Stack, *command: str) -> list[dict[str, Any]]:
    """What such a command lists."""
    found: list[dict[str, Any]] = json.loads(await callengine(run, *command, "--format", "json") or "[]")
    return found
