"""The carriers: one file each, `trunks/NAME.yaml`, checked as routes are.

`trunk.yaml` replaces the carrier that pjsip.conf names, the first one. `callengine trunks` checks and lists
them; engine/trunk_files.py writes them for Asterisk.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from config.errors import NOWHERE, ConfigErrors, FileError
from config.reading import Reading
from config.trunk import Trunk

# Endpoints are NAME0 to NAME9, so a name has no digit; the others are names of pjsip.conf.
NAME = re.compile(r"[a-z][a-z-]{0,29}", re.ASCII)
TAKEN = frozenset({"global", "system", "udp", "tcp", "tls", "leg", "out", "mine", "from"})
FIRST = "trunk"  # that of pjsip.conf itself
SUFFIXES = {".yaml", ".yml"}


@dataclass(frozen=True, slots=True)
class Trunks:
    """The carriers that have a file, by name, in the order in which they are tried."""

    by_name: Mapping[str, Trunk]

    @property
    def names(self) -> tuple[str, ...]:
        """All carriers, in that order: the first one may have no file."""
        return (FIRST, *(name for name in self.by_name if name != FIRST))


NO_TRUNKS = Trunks({})


def load_trunks(folder: Path | None) -> Trunks:
    """The trunks of this folder; none if there is no folder. Raises ConfigErrors with all errors."""
    if folder is None or not folder.is_dir():
        return NO_TRUNKS
    files = files_of(folder)
    reading = Reading(folder, list(_misnamed(files)))
    read = {text.file.stem: reading.model(text, Trunk) for text in reading.texts(files)}
    if reading.errors:
        raise ConfigErrors(reading.errors)
    trunks = {name: trunk for name, trunk in read.items() if trunk is not None}
    return Trunks(dict(sorted(trunks.items(), key=lambda item: (item[0] != FIRST, item[1].order, item[0]))))


def files_of(folder: Path) -> list[Path]:
    """The files of carriers. A name that begins with a dot is ignored, as in the routing folder."""
    return sorted(
        file for file in folder.iterdir() if file.suffix in SUFFIXES and not file.name.startswith(".")
    )


def _misnamed(files: Iterable[Path]) -> Iterable[FileError]:
    for file in files:
        if not NAME.fullmatch(file.stem) or file.stem in TAKEN:
            what = "this name cannot be a trunk's; write at most 30 of a-z and -, as in  beta.yaml"
            yield FileError(file, NOWHERE, "", what)
