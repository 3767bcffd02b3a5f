"""The carriers in force: read from the folder of trunks, and given to Asterisk, again at each change."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog

from config.errors import ConfigErrors
from config.trunk import Trunk
from config.trunks import NO_TRUNKS, Trunks, files_of, load_trunks
from engine.ari.client import Client
from engine.ari.errors import AriError
from engine.included import IncludedFile
from engine.trunk_sections import render

log = structlog.get_logger()

NAME = "trunks.conf"
RELOADED_BY = "res_pjsip.so"
LOOK_SECONDS = 0.5

# (name, inode, bytes, time of change) of each file: two equal ones in a row, and nobody is writing any more.
type Stamps = tuple[tuple[str, int, int, int], ...]


class TrunkFiles:
    """`folder`: None for no carrier but that of pjsip.conf. `etc`: the folder of trunks.conf; None: no file.

    `in_force` is None until the folder was read without an error: then Asterisk keeps what it has.
    `domains`: the trunk of each domain of SIP addresses.
    """

    def __init__(
        self, folder: Path | None, etc: Path | None, client: Client, passwords: Mapping[str, str]
    ) -> None:
        self.in_force: Trunks | None = None
        self.domains: dict[str, str] = {}
        self.errors: list[str] = []
        self._folder = folder
        self._file = IncludedFile(etc / NAME, RELOADED_BY, client, mode=0o640) if etc else None
        self._passwords = passwords
        self._read: Stamps | None = None

    @property
    def by_name(self) -> Mapping[str, Trunk]:
        """The carriers in force that have a file."""
        return (self.in_force or NO_TRUNKS).by_name

    @property
    def names(self) -> tuple[str, ...]:
        """Of all in force: the carriers in the order in which they are tried, then those of a domain."""
        return (self.in_force or NO_TRUNKS).names

    @property
    def warnings(self) -> list[str]:
        """Why the files are not in force as they are."""
        if not self.errors:
            return []
        return [
            f"{self.errors[0]}; the former carriers stay: `callengine trunks` lists {len(self.errors)} errors"
        ]

    def read(self) -> bool:
        """Read the folder; return whether other carriers are in force now. Errors are logged."""
        self._read = stamps_of(self._folder)
        try:
            trunks = load_trunks(self._folder)
        except ConfigErrors as errors:
            self._refuse([str(error) for error in errors.errors])
            return False
        self.errors = []
        if trunks == self.in_force:
            return False
        self.in_force = trunks
        self._be_reached_at(trunks.domains)
        for name, trunk in trunks.by_name.items():
            if trunk.user and not self._passwords.get(name):
                log.warning("trunk_password_missing", trunk=name, hint=f"credential trunk_passwords__{name}")
        return True

    def _be_reached_at(self, domains: Mapping[str, str]) -> None:
        """Other threads look at it: a domain that stays is in it at every moment."""
        self.domains |= domains
        for removed in self.domains.keys() - domains.keys():
            del self.domains[removed]

    def _refuse(self, errors: list[str]) -> None:
        for error in errors:
            log.error("trunk_refused", error=error)
        self.errors = errors

    async def publish(self) -> None:
        """Give Asterisk the carriers. If that fails, the former ones stay."""
        trunks = self.in_force
        if trunks is None:
            return
        if self._file is None:
            if trunks.by_name:
                log.warning("trunks_not_published", error="asterisk.etc_dir is not set")
            return
        try:
            await self._file.publish(lambda old: render(trunks, self._passwords, old))
        except (OSError, AriError) as error:
            log.warning("trunks_not_published", error=str(error))

    async def watch(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Read the folder again whenever a file in it has changed, until cancelled."""
        before = self._read
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = await asyncio.to_thread(stamps_of, self._folder)
            if now == before and now != self._read and await asyncio.to_thread(self.read):
                log.info("trunks_in_force", trunks=list(self.names))
                await changed()
            before = now


def stamps_of(folder: Path | None) -> Stamps:
    """The files of carriers as they are now; none if there is no such folder."""
    if folder is None:
        return ()
    try:
        stats = [(file.name, file.stat()) for file in files_of(folder)]
    except OSError:  # removed just now, or there is no folder
        return ()
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
