"""Music instead of ringing: classes of music on hold, with which Asterisk repeats a prompt."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import structlog

from dialplan.routing import Routing
from engine.ari.client import Client
from engine.ari.connect import music_class
from engine.ari.errors import AriError
from engine.included import IncludedFile

log = structlog.get_logger()

NAME = "music.conf"
INCLUDED_BY = "musiconhold.conf"
RELOADED_BY = "res_musiconhold.so"
HEAD = "; Written by callengine: the prompts that callers hear instead of ringing.\n"
CLASS = "[{name}]\nmode=playlist\nentry={entry}\n"
WRITTEN = re.compile(r"^\[(.+)\]\nmode=playlist\nentry=(.+)$", re.MULTILINE)


class MusicClasses:
    """The file in Asterisk's configuration folder `etc` that musiconhold.conf includes. No `etc`: no file.

    `known`: the classes that Asterisk has.
    """

    def __init__(self, etc: Path | None, client: Client) -> None:
        self.known: set[str] = set()
        self._file = IncludedFile(etc / NAME, RELOADED_BY, client) if etc else None

    async def publish(self, routing: Routing) -> None:
        """Give Asterisk the music of this version. If that fails, callers hear ringing."""
        wanted = {music_class(prompt): str(prompt.path.with_suffix("")) for prompt in routing.music_prompts}
        if self._file is None:
            if wanted:
                log.warning("music_not_published", error="asterisk.etc_dir is not set")
            return
        try:
            text = await self._file.publish(partial(update, self._file.path, wanted))
        except (OSError, AriError) as error:
            log.warning("music_not_published", error=str(error))
            return
        self.known.clear()
        self.known.update(classes(text))


def update(path: Path, wanted: Mapping[str, str], old: str) -> str:
    """Return the new text of the file. Raises OSError if Asterisk would not read it."""
    if wanted and not is_included(path):
        raise OSError(f"{INCLUDED_BY} does not include it; add there  #tryinclude {path.name}")
    return render(wanted, old)


def is_included(path: Path) -> bool:
    """Whether Asterisk reads this file; assumed if INCLUDED_BY is not in the same folder.

    Asterisk reports no error at a reload, and plays silence for a class that it does not have.
    """
    try:
        text = path.with_name(INCLUDED_BY).read_text("utf-8", errors="replace")
    except OSError:
        return True
    return re.search(rf"^\s*#(try)?include\s.*\b{re.escape(path.name)}\b", text, re.MULTILINE) is not None


def render(wanted: Mapping[str, str], old: str) -> str:
    """Return the file: a class for each prompt, and those of older versions, whose calls may still ring.

    A prompt that no stored version names is removed (config.publish), and its class with it.
    """
    older = {name: entry for name, entry in classes(old).items() if Path(f"{entry}.wav").exists()}
    sections = [CLASS.format(name=name, entry=entry) for name, entry in sorted({**older, **wanted}.items())]
    return "\n".join([HEAD, *sections]) if sections or old else ""


def classes(text: str) -> dict[str, str]:
    """Return the classes in such a file, and the path of each prompt, without its suffix."""
    return dict(WRITTEN.findall(text))
