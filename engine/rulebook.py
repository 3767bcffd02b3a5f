"""The routing in force: the last routing folder without an error, whatever has become of the folder since."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import structlog
import watchfiles

from config.errors import ConfigErrors
from config.load import load_in_process
from config.policy import Policy
from config.publish import publish
from dialplan.routing import Routing

log = structlog.get_logger()

# Editors and copies write a file in several steps: the folder is read when it has been quiet for so long.
QUIET_MS = 300


class Rulebook:
    """`folder` is the operator's, `snapshot` a copy of it as it last was without error.

    `prompts` is where the prompts in use lie, named by their content: a live call hears what was checked.
    """

    def __init__(self, folder: Path, snapshot: Path, prompts: Path, policy: Policy) -> None:
        self.in_force = Routing({}, {}, {}, "", {})
        self.refused = False
        self._folder = folder
        self._snapshot = snapshot
        self._prompts = prompts
        self._policy = policy

    async def open(self) -> None:
        """Take the folder, or where it has errors the snapshot. Raises ConfigErrors where both have."""
        try:
            await self._take(self._folder)
        except ConfigErrors as wrong:
            if not self._snapshot.is_dir():
                raise
            tell(wrong)
            await self._take(self._snapshot)
            self.refused = True

    async def reload(self) -> bool:
        """Take the folder as it is now; where it has errors, say them and keep what is in force."""
        try:
            await self._take(self._folder)
        except ConfigErrors as wrong:
            self.refused = True
            tell(wrong)
            return False
        return True

    async def watch(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Reload whenever the folder changes, until cancelled; `changed` is awaited after each."""
        async for _ in watchfiles.awatch(self._folder, debounce=QUIET_MS, step=50, recursive=True):
            if await self.reload():
                await changed()

    async def _take(self, folder: Path) -> None:
        routing = await load_in_process(folder, self._policy)
        if routing.digest == self.in_force.digest:
            self.refused = False
            return
        prompts = await publish(routing.prompts, self._prompts)
        if folder is not self._snapshot:
            await asyncio.to_thread(self._copy, folder)
        self.in_force = replace(routing, prompts=prompts)
        self.refused = False
        log.info("routing_in_force", numbers=len(routing.numbers), owners=len(routing.owners))

    def _copy(self, folder: Path) -> None:
        draft = self._snapshot.with_name(f"{self._snapshot.name}.draft")
        old = self._snapshot.with_name(f"{self._snapshot.name}.old")
        for path in (draft, old):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(folder, draft, ignore=shutil.ignore_patterns(".*"))
        if self._snapshot.exists():
            os.rename(self._snapshot, old)
        os.rename(draft, self._snapshot)
        shutil.rmtree(old, ignore_errors=True)


def tell(wrong: ConfigErrors) -> None:
    """Every error of a refused folder, one line each."""
    for error in wrong.errors:
        where = f"{error.file}:{error.place.line}:{error.place.column}"
        log.error("routing_refused", file=where, path=error.at, what=error.what)
