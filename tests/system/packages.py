"""The packages that are installed: built from this repository; then once more, and as a later version."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.system.guest import ROOT

NAMES = ("callengine", "callengine-asterisk")
LATER = "later"


@dataclass(frozen=True)
class Packages:
    """`now`: as `make deb` builds them. After build_others() also `again`, the same, and `later`."""

    folder: Path

    @property
    def now(self) -> list[Path]:
        return sorted((self.folder / "now").glob("*.deb"))

    @property
    def again(self) -> list[Path]:
        return sorted((self.folder / "again").glob("*.deb"))

    @property
    def later(self) -> list[Path]:
        return sorted((self.folder / "later").glob("*.deb"))

    def build_others(self) -> None:
        """Build `again` and `later`, at the same time."""
        revision = self.now[0].name.split("_")[1].partition("+")[2]
        with ThreadPoolExecutor() as pool:
            list(pool.map(build, (self.folder / "again", self.folder / "later"), ("", f"{revision}.{LATER}")))


def built(folder: Path) -> Packages:
    build(folder / "now")
    return Packages(folder)


def build(folder: Path, revision: str = "") -> None:
    environment = os.environ | ({"REVISION": revision} if revision else {})
    subprocess.run(
        [ROOT / "scripts/make-deb.sh", folder], check=True, env=environment, capture_output=True, timeout=1200
    )


def version_of(package: Path) -> str:
    """The version that a package's file name has."""
    return package.name.split("_")[1]
