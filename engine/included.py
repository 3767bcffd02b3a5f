"""Files that Asterisk's configuration includes: the engine writes them, and makes Asterisk reload them."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from engine.ari.client import Client
from journal.fault import point


class IncludedFile:
    """`module`: the Asterisk module that reads the file."""

    def __init__(self, path: Path, module: str, client: Client, mode: int | None = None) -> None:
        """`mode`: of the file, if it has secrets; otherwise the process's umask decides."""
        self.path = path
        self._mode = mode
        self._module = module
        self._client = client
        self._reload_due = True  # Asterisk may not have read the file
        self._publishing = asyncio.Lock()

    async def publish(self, update: Callable[[str], str]) -> str:
        """Replace the text of the file by `update(text)`, make Asterisk reload it, and return it.

        A missing file has an empty text, and stays missing if the text stays empty. Live calls and global
        variables survive a reload. Raises OSError, AriError: the next publish then tries again.
        """
        async with self._publishing:
            text, changed = await asyncio.to_thread(replace, self.path, update, self._mode)
            self._reload_due |= changed
            if self._reload_due and text:
                await self._client.asterisk.reload_module(self._module)
                self._reload_due = False
            return text


def replace(path: Path, update: Callable[[str], str], mode: int | None = None) -> tuple[str, bool]:
    """Replace the text in one step; return the text, and whether it changed."""
    old = path.read_text("utf-8", errors="replace") if path.exists() else ""
    text = update(old)
    if text != old:
        draft = path.with_suffix(".draft")
        draft.touch(mode or 0o666)
        draft.write_text(text, "utf-8")
        point("included.before_replace")
        os.replace(draft, path)
        point("included.after_replace")
    return text, text != old
