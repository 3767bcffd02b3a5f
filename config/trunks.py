"""The carriers, and the telephone systems of domains: a file each, `trunks/NAME.yaml`, checked as routes are.

`trunk.yaml` replaces the carrier that pjsip.conf names, the first one. `callengine trunks` checks and lists
them; engine/trunk_files.py writes them for Asterisk.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from config.errors import NOWHERE, ConfigErrors, FileError
from config.reading import Reading, Text
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
    def carriers(self) -> tuple[str, ...]:
        """Those that numbers are dialled at, in that order: the first one may have no file."""
        others = (name for name, trunk in self.by_name.items() if name != FIRST and not trunk.sip_domain)
        return (FIRST, *others)

    @property
    def domains(self) -> dict[str, str]:
        """The name of the trunk of each domain of SIP addresses."""
        return {trunk.sip_domain: name for name, trunk in self.by_name.items() if trunk.sip_domain}

    @property
    def names(self) -> tuple[str, ...]:
        """All of them: the carriers, then those of a domain."""
        return (*self.carriers, *self.domains.values())


NO_TRUNKS = Trunks({})


def load_trunks(folder: Path | None) -> Trunks:
    """The trunks of this folder; none if there is no folder. Raises ConfigErrors with all errors."""
    trunks, errors = _read(folder)
    if errors:
        raise ConfigErrors(errors)
    return trunks


def domains_in(folder: Path | None) -> frozenset[str]:
    """The domains of SIP addresses that have a trunk, whatever is wrong with other files. Raises OSError."""
    return frozenset(_read(folder)[0].domains)


def _read(folder: Path | None) -> tuple[Trunks, list[FileError]]:
    """The trunks whose files are right, and the errors of the others."""
    if folder is None or not folder.is_dir():
        return NO_TRUNKS, []
    files = files_of(folder)
    reading = Reading(folder, list(_misnamed(files)))
    texts = reading.texts(files)
    read = {text.file.stem: reading.model(text, Trunk) for text in texts}
    trunks = {name: trunk for name, trunk in read.items() if trunk is not None}
    reading.errors += _wrong_domains(texts, trunks)
    in_order = sorted(trunks.items(), key=lambda item: (item[0] != FIRST, item[1].order, item[0]))
    return Trunks(dict(in_order)), reading.errors


def files_of(folder: Path) -> list[Path]:
    """The files of carriers. A name that begins with a dot is ignored, as in the routing folder."""
    return sorted(
        file for file in folder.iterdir() if file.suffix in SUFFIXES and not file.name.startswith(".")
    )


def _wrong_domains(texts: Iterable[Text], trunks: Mapping[str, Trunk]) -> Iterator[FileError]:
    first: dict[str, str] = {}
    for text in texts:
        name = text.file.stem
        if name not in trunks or not (domain := trunks[name].sip_domain):
            continue
        if name == FIRST:
            what = f"{FIRST} is the carrier of numbers; write another file for {domain}, as in  acme-pbx.yaml"
            yield text.error(("sip_domain",), what)
        elif (other := first.setdefault(domain, name)) != name:
            yield text.error(("sip_domain",), f"{domain} is also in {other}.yaml; remove one of the two")


def _misnamed(files: Iterable[Path]) -> Iterable[FileError]:
    for file in files:
        if not NAME.fullmatch(file.stem) or file.stem in TAKEN:
            what = "this name cannot be a trunk's; write at most 30 of a-z and -, as in  beta.yaml"
            yield FileError(file, NOWHERE, "", what)
