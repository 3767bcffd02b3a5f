"""Files that Asterisk's own configuration includes: the engine writes them, and has Asterisk read them."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from engine.ari.client import Client


class IncludedFile:
    """`module`: the module of Asterisk that reads the file."""

    def __init__(self, path: Path, module: str, client: Client) -> None:
        self.path = path
        self._module = module
        self._client = client
        self._unread = True  # by Asterisk, as far as we know
        self._publishing = asyncio.Lock()

    async def publish(self, update: Callable[[str], str]) -> str:
        """Replace the file's text with what `update` makes of it, have Asterisk read it, and return it.

        A file that is missing has an empty text, and stays missing when that does not change. Live calls and
        global variables survive a reload. Raises OSError, AriError: the next call then tries again.
        """
        async with self._publishing:
            text, changed = await asyncio.to_thread(replace, self.path, update)
            self._unread |= changed
            if self._unread and text:
                await self._client.asterisk.reload_module(self._module)
                self._unread = False
            return text


def replace(path: Path, update: Callable[[str], str]) -> tuple[str, bool]:
    """Put the new text in place whole; the text, and whether it is another."""
    old = path.read_text("utf-8", errors="replace") if path.exists() else ""
    text = update(old)
    if text != old:
        draft = path.with_suffix(".draft")
        draft.write_text(text, "utf-8")
        os.replace(draft, path)
    return text, text != old
