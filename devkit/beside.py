"""Run `callengine` commands against a running stack."""

import asyncio
import json
import sys
from typing import Any

from devkit.stack import Stack


async def callengine(run: Stack, *command: str) -> bytes:
    """The output of the command; empty if it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", *command),
        stdout=asyncio.subprocess.PIPE,
        env=run.full_environment(),
    )
    return (await process.communicate())[0]


async def listed(run: Stack, *command: str) -> list[dict[str, Any]]:
    """The objects that the command lists as JSON."""
    objects: list[dict[str, Any]] = json.loads(await callengine(run, *command, "--format", "json") or "[]")
    return objects
