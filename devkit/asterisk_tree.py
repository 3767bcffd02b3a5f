"""Find an Asterisk: installed on this machine, or unpacked by asterisk/fetch-asterisk.sh."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self


class AsteriskTrouble(Exception):
    """Asterisk could not be found, started or reached; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of an Asterisk; `root` is None if it is installed on this machine."""

    root: Path | None
    command: tuple[str, ...]

    @classmethod
    def find(cls) -> Self:
        """ASTERISK_BIN if set, else the folder that asterisk/fetch-asterisk.sh fills."""
        if installed := os.environ.get("ASTERISK_BIN"):
            return cls(None, (installed,))
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls.unpacked(cache / "callengine" / "asterisk-22-2")

    @classmethod
    def unpacked(cls, folder: Path) -> Self:
        """The tree below `folder`, run by its own loader: it needs a newer libc than Debian 13's."""
        root = folder / "tree"
        loaders = sorted(root.glob("usr/lib/*-linux-gnu/ld-linux-*.so.*"))
        if not loaders or not (folder / "SHA256SUMS").is_file():
            raise AsteriskTrouble(
                f"there is no Asterisk in {folder}; run asterisk/fetch-asterisk.sh (or make setup)"
            )
        libraries = str(loaders[0].parent)
        loader = (str(loaders[0]), "--inhibit-cache", "--library-path", libraries)
        return cls(root, (*loader, str(root / "usr/sbin/asterisk")))

    def directories(self) -> str:
        """The lines of asterisk.conf that point into the tree; an installed Asterisk needs none."""
        if self.root is None:
            return ""
        modules = next(self.root.glob("usr/lib/*-linux-gnu/asterisk/modules"))
        data = self.root / "usr/share/asterisk"
        return (
            f"astmoddir => {modules}\nastdatadir => {data}\n"
            f"astagidir => {data}/agi-bin\nastsbindir => {self.root}/usr/sbin"
        )
