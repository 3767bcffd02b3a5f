"""The packages that are installed: built from this repository, once more, and as a later version."""

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
    """`now`: as `make deb` builds them. `again`: built once more. `later`: the same with a later version."""

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


def built(folder: Path) -> Packages:
    """Build all three into `folder`, at the same time."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: build(folder / name), ("now", "again")))
        packages = Packages(folder)
        revision = packages.now[0].name.split("_")[1].partition("+")[2]
        build(folder / "later", f"{revision}.{LATER}")
    return packages


def build(folder: Path, revision: str = "") -> None:
    environment = os.environ | ({"REVISION": revision} if revision else {})
    subprocess.run(
        [ROOT / "scripts/make-deb.sh", folder], check=True, env=environment, capture_output=True, timeout=600
    )


def version_of(package: Path) -> str:
    """The version that a package's file name has."""
    return package.name.split("_")[1]
