"""Music instead of ringing: the classes of music on hold by which Asterisk plays prompts again and again."""

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
    """The file in Asterisk's configuration folder `etc` that musiconhold.conf includes; None: there is none.

    `known`: the classes that Asterisk has.
    """

    def __init__(self, etc: Path | None, client: Client) -> None:
        self.known: set[str] = set()
        self._file = IncludedFile(etc / NAME, RELOADED_BY, client) if etc else None

    async def publish(self, routing: Routing) -> None:
        """Have Asterisk know the music of this version. Where that fails callers hear ringing."""
        wanted = {music_class(prompt): str(prompt.path.with_suffix("")) for prompt in routing.music_prompts}
        if self._file is None:
            if wanted:
                log.warning("music_not_published", error="asterisk.etc_dir is not set")
            return
        try:
            text = await self._file.publish(partial(update, self._file.path, wanted))
        except (OSError, AriError) as trouble:
            log.warning("music_not_published", error=str(trouble))
            return
        self.known.clear()
        self.known.update(classes(text))


def update(path: Path, wanted: Mapping[str, str], old: str) -> str:
    """The new text of the file. Raises OSError where Asterisk would not read it."""
    if wanted and not is_included(path):
        raise OSError(f"{INCLUDED_BY} does not include it; write there  #tryinclude {path.name}")
    return render(wanted, old)


def is_included(path: Path) -> bool:
    """Whether Asterisk reads this file. Where its own configuration lies elsewhere, that is assumed.

    Asterisk reloads without a word, and plays silence by a class that it does not have.
    """
    try:
        text = path.with_name(INCLUDED_BY).read_text("utf-8", errors="replace")
    except OSError:
        return True
    return re.search(rf"^\s*#(try)?include\s.*\b{re.escape(path.name)}\b", text, re.MULTILINE) is not None


def render(wanted: Mapping[str, str], old: str) -> str:
    """A class for each, named by its content; and those of older versions, whose live calls may still ring.

    A prompt that no kept version names is removed (config.publish), and its class with it.
    """
    kept = {name: entry for name, entry in classes(old).items() if Path(f"{entry}.wav").exists()}
    told = [CLASS.format(name=name, entry=entry) for name, entry in sorted({**kept, **wanted}.items())]
    return "\n".join([HEAD, *told]) if told or old else ""


def classes(text: str) -> dict[str, str]:
    """The classes in such a file, and what each plays: a path without its suffix."""
    return dict(WRITTEN.findall(text))
