"""The routing store: the routing in force, whatever errors its folder has since; and older versions.

A version is identified by the digest of all its files. It is on the disk before it goes into force, and stays
there as long as a live call or the operator's history needs it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from config import versioning
from config.errors import NOWHERE, ConfigErrors, FileError
from config.policy import Policy
from config.publish import prune, publish
from config.reader import FolderReader
from config.versions import VersionError, Versions, Why
from dialplan.routing import Routing
from engine.routing_reports import report, report_not_stored, report_unusable
from engine.routing_watch import follow
from process.memory import give_back

log = structlog.get_logger()

FORGET_SECONDS = 3600.0
CACHED = 8  # older versions in memory: 10 MB each with 5,000 numbers
TRIED = 5  # stored versions that are tried at start; each may take seconds


class RoutingStore:
    """`folder`: the operator's. `versions`: the store's own. `refused`: the folder has errors.

    `prompts`: the folder from which Asterisk plays them, named by content. `history`: how long a version is
    kept after it was in force. `prepare`: awaited before a version replaces another in force.
    """

    def __init__(
        self,
        folder: Path,
        versions: Versions,
        prompts: Path,
        policy: Policy,
        history: timedelta,
        *,
        prepare: Callable[[Routing], Awaitable[None]] | None = None,
    ) -> None:
        self.in_force = Routing({}, {}, {}, "", {})
        self.since: datetime | None = None  # when that version came into force
        self._entered: datetime | None = None
        self._place: Path | None = None  # what the folder's path led to when it was read
        self.refused = False
        self._folder = folder
        self._versions = versions
        self._prompts = prompts
        self._reader = FolderReader(policy, versions.cache)
        self._history = history
        self._prepare = prepare
        self._stored = False  # the version in force is on the disk
        self._older: dict[str, Routing | None] = {}
        self._changing, self._reading = asyncio.Lock(), asyncio.Lock()

    async def open(self) -> None:
        """Put the folder into force; if it has errors, the newest usable version.

        Raises ConfigErrors, those of the folder, if there is no usable version.
        """
        try:
            await asyncio.to_thread(self._versions.tidy)
        except OSError as error:  # a read-only file system: callers are answered nevertheless
            report_not_stored(error)
        try:
            await self._put_folder_into_force(self._folder)
        except ConfigErrors as error:
            report(error)
            if not await self._put_stored_into_force():
                raise
            self.refused = True

    async def reload(self) -> bool:
        """Put the folder into force. If it cannot be used, log why, change nothing, and return False."""
        policy = self._reader.policy
        try:
            await self._put_folder_into_force(self._folder)
        except ConfigErrors as error:
            if self._reader.policy != policy:  # a domain was allowed while the folder was read
                return await self.reload()
            self.refused = True
            report(error)
            return False
        except OSError as error:
            self.refused = True
            report_not_stored(error)
            return False
        return True

    def allow(self, domains: Collection[str]) -> bool:
        """Let these be the domains of SIP addresses from the next reading on; return whether they differ."""
        before = self._reader.policy
        self._reader.policy = replace(before, domains=frozenset(domains))
        return self._reader.policy != before

    async def watch(
        self, changed: Callable[[], Awaitable[None]], live: Callable[[], Collection[str]]
    ) -> None:
        """Reload at each change of the folder, until cancelled; `changed` is awaited after each reload.

        `live`: returns the digests that live calls began under; called hourly, before old versions are
        removed.
        """
        due = asyncio.get_running_loop().time() + FORGET_SECONDS

        async def look(folder_changed: bool) -> None:
            nonlocal due
            is_read = not folder_changed and not await asyncio.to_thread(self._leads_elsewhere)
            if not is_read and await self.reload():
                await changed()
            await self._reader.get_ready()
            if asyncio.get_running_loop().time() >= due:
                due += FORGET_SECONDS
                await self._tidy(live())

        try:
            await follow(self._folder, look)
        finally:
            await self._reader.close()

    async def version(self, digest: str) -> Routing | None:
        """Return the version with this digest, for a call that began under it; None if it is not available.

        A version of 5,000 numbers is read in seconds, by a process of its own. A damaged version is logged
        here, a missing one by the caller of this function.
        """
        if digest == self.in_force.digest:
            return self.in_force
        async with self._reading:
            if digest not in self._older:
                while len(self._older) >= CACHED:
                    del self._older[next(iter(self._older))]
                self._older[digest] = await self._read(digest)
            return self._older[digest]

    async def forget(self, keep: Collection[str]) -> None:
        """Remove versions that are neither in force, nor in `keep`, nor in the history.

        Published prompts that no version names are removed too. Raises OSError.
        """
        async with self._changing, self._reading:
            wanted = {*keep, self.in_force.digest}
            before = datetime.now(UTC) - self._history
            removed = await asyncio.to_thread(self._versions.forget, wanted, before)
            self._older = {digest: routing for digest, routing in self._older.items() if digest in wanted}
            for version in removed:
                log.info(
                    "routing_version_removed",
                    digest=version.digest,
                    in_force_until=version.last_in_force.isoformat(),
                )
            await asyncio.to_thread(self._prune)

    async def _tidy(self, live: Collection[str]) -> None:
        """Tidy up, hourly. If the disk cannot be written, the folder is still watched."""
        try:
            await self.forget(live)
        except OSError as error:
            log.warning("routing_versions_not_removed", why=str(error))
        if not self._stored:
            await self.reload()

    async def _put_folder_into_force(self, folder: Path) -> None:
        """Raises ConfigErrors; OSError if the folder cannot be stored and another version is in force."""
        async with self._changing:
            if not self._stored and self.in_force.digest and await self._is_stored_now(folder):
                return
            place, routing = await self._read_folder(folder)
            self._refuse_damaged(place, routing.digest)
            if routing.digest != self.in_force.digest:
                prompts = await publish(routing.prompts, self._prompts)
                await self._store(folder, routing)
                await self._replace(replace(routing, prompts=prompts))
            elif not self._stored:
                await self._store(folder, routing)
            self.refused = False

    async def _read_folder(self, folder: Path) -> tuple[Path, Routing]:
        """Return what a folder is, behind symbolic links, and the routing in it. Raises ConfigErrors.

        A link that was switched meanwhile is read again.
        """
        self._place = None
        while self._place != (place := await asyncio.to_thread(folder.resolve)):
            self._place = place
            routing = await self._reader.read(folder)
        return place, routing

    def _leads_elsewhere(self) -> bool:
        """Whether the path leads to another folder than was read: a link was switched there and back."""
        place = self._folder.resolve()
        return place != self._place and place.is_dir()

    def _refuse_damaged(self, place: Path, digest: str) -> None:
        """Raise ConfigErrors if a stored version has other files than those that were stored."""
        if self._versions.contains(place) and not self._versions.is_at(place, digest):
            what = "this stored version was changed; apply the routing folder again"
            raise ConfigErrors([FileError(place, NOWHERE, "", what)])

    async def _is_stored_now(self, folder: Path) -> bool:
        """Store the version in force if the folder still is that version: less work than to read it again."""
        try:
            await versioning.store(self._versions, folder, self.in_force.digest)
            await self._enter(self.in_force)
            await asyncio.to_thread(self._versions.remove_snapshot)
        except (ConfigErrors, OSError):
            return False
        self.refused = False
        return True

    async def _store(self, folder: Path, routing: Routing) -> None:
        try:
            starts = self.in_force.digest == ""
            if starts and await asyncio.to_thread(self._versions.holds, routing.digest):
                await self._enter(routing)
                self._stored = False  # check that it is whole once calls are taken: saves a second
                return
            if not await asyncio.to_thread(self._versions.is_at, folder, routing.digest):
                await versioning.store(self._versions, folder, routing.digest)
            await self._enter(routing)
            await asyncio.to_thread(self._versions.remove_snapshot)
        except OSError as error:
            if self.in_force.digest not in ("", routing.digest):
                raise
            self._stored = False  # callers are answered nevertheless; the next pass tries again
            self._entered = datetime.now(UTC)
            report_not_stored(error)

    async def _enter(self, routing: Routing) -> None:
        named = {prompt.sha256 for prompt in routing.prompts.values()}
        enter = self._versions.enter
        self._entered = await asyncio.to_thread(enter, routing.digest, named, datetime.now(UTC))
        self._stored = True

    async def _replace(self, routing: Routing) -> None:
        """Prepare a version and put it into force; not prepared at the start, when Asterisk may be away."""
        if self._prepare is not None and self.in_force.digest:
            await self._prepare(routing)
        self._put_into_force(routing)
        await asyncio.to_thread(give_back)  # what the former version took

    def _put_into_force(self, routing: Routing) -> None:
        self.in_force, self.since = routing, self._entered
        self._older.pop(routing.digest, None)
        log.info(
            "routing_in_force",
            numbers=len(routing.numbers),
            owners=len(routing.owners),
            digest=routing.digest,
        )

    async def _put_stored_into_force(self) -> bool:
        """Put the newest usable version into force; return False if there is none.

        The last one tried is the copy that earlier engines stored. Destinations are checked by today's
        settings.
        """
        for version in (await asyncio.to_thread(self._versions.all))[:TRIED]:
            routing = await self._read(version.digest, self._reader.policy)
            if routing is not None:
                try:
                    await self._enter(routing)
                except OSError as error:
                    report_not_stored(error)
                self._put_into_force(routing)
                return True
        if not self._versions.snapshot.is_dir():
            return False
        try:
            await self._put_folder_into_force(self._versions.snapshot)
        except ConfigErrors as error:
            report(error)
            return False
        return True

    async def _read(self, digest: str, policy: Policy | None = None) -> Routing | None:
        """Return a stored version, with its prompts published; None if it cannot be used, which is logged."""
        try:
            routing = await versioning.read(self._versions, digest, policy)
            return replace(routing, prompts=await publish(routing.prompts, self._prompts))
        except VersionError as error:
            report_unusable(error)
        except ConfigErrors as error:
            report_unusable(VersionError(digest, Why.UNREADABLE, str(error.errors[0])))
        return None

    def _prune(self) -> None:
        stored = {sha256 for version in self._versions.all() for sha256 in version.prompts}
        used = {prompt.sha256 for prompt in self.in_force.prompts.values()}
        prune(self._prompts, stored | used)
