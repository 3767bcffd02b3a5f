"""The routing store: the routing in force, whatever has become of its folder since, and older versions.

A version is known by the digest of all its files. It is on the disk before it goes into force, and stays
there as long as a live call or the operator's history needs it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from config import versioning
from config.errors import ConfigErrors
from config.load import load_in_process
from config.policy import Policy
from config.publish import prune, publish
from config.versions import VersionError, Versions, Why
from dialplan.routing import Routing
from engine.routing_watch import passes

log = structlog.get_logger()

FORGET_SECONDS = 3600.0
CACHED = 8  # older versions in memory: 10 MB each where there are 5,000 numbers
TRIED = 5  # kept versions that are tried at start; each may take seconds


class RoutingStore:
    """`folder` is the operator's; `versions` are the store's own.

    `prompts` is where Asterisk plays them from, named by content. `history`: how long a version that is no
    longer in force is kept. `prepare`: awaited before a version replaces another in force.
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
        self.refused = False
        self._folder = folder
        self._versions = versions
        self._prompts = prompts
        self._policy = policy
        self._history = history
        self._prepare = prepare
        self._kept = False  # is the version in force on the disk?
        self._older: dict[str, Routing | None] = {}
        self._changing, self._reading = asyncio.Lock(), asyncio.Lock()

    async def open(self) -> None:
        """Take the folder; where it has errors, the newest version that can be used.

        Raises ConfigErrors, those of the folder, where there is none.
        """
        try:
            await asyncio.to_thread(self._versions.tidy)
        except OSError as wrong:  # a file system that was made read-only: callers are answered all the same
            report_unkept(wrong)
        try:
            await self._take(self._folder)
        except ConfigErrors as wrong:
            report(wrong)
            if not await self._take_kept():
                raise
            self.refused = True

    async def reload(self) -> bool:
        """Take the folder as it is now; where it cannot be used, log why and keep what is in force."""
        try:
            await self._take(self._folder)
        except ConfigErrors as wrong:
            self.refused = True
            report(wrong)
            return False
        except OSError as wrong:
            self.refused = True
            report_unkept(wrong)
            return False
        return True

    async def watch(
        self, changed: Callable[[], Awaitable[None]], live: Callable[[], Collection[str]]
    ) -> None:
        """Reload whenever the folder changes, until cancelled; `changed` is awaited after each.

        `live`: the digests that live calls began under; they are asked for hourly, before old versions go.
        """
        due = asyncio.get_running_loop().time() + FORGET_SECONDS
        async for folder_changed in passes(self._folder):
            if folder_changed and await self.reload():
                await changed()
            if asyncio.get_running_loop().time() >= due:
                due += FORGET_SECONDS
                await self._look_after(live())

    async def version(self, digest: str) -> Routing | None:
        """The version of this digest, for a call that began under it; None where it cannot be had.

        Reading one of 5,000 numbers takes seconds, in a process of its own. Damage is logged here; that a
        version is gone is for the caller of this to log.
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

        Published prompts that no version names go with them. Raises OSError.
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

    async def _look_after(self, live: Collection[str]) -> None:
        """What is done hourly. A disk that cannot be written is no reason to stop watching the folder."""
        try:
            await self.forget(live)
        except OSError as wrong:
            log.warning("routing_versions_not_removed", why=str(wrong))
        if not self._kept:
            await self.reload()

    async def _take(self, folder: Path) -> None:
        """Put a folder into force. Raises ConfigErrors, and OSError where it replaces another unkept."""
        async with self._changing:
            routing = await load_in_process(folder, self._policy)
            if routing.digest != self.in_force.digest:
                prompts = await publish(routing.prompts, self._prompts)
                await self._keep(folder, routing)
                await self._replace(replace(routing, prompts=prompts))
            elif not self._kept:
                await self._keep(folder, routing)
            self.refused = False

    async def _keep(self, folder: Path, routing: Routing) -> None:
        try:
            starts = self.in_force.digest == ""
            if starts and await asyncio.to_thread(self._versions.holds, routing.digest):
                await self._enter(routing)
                self._kept = False  # whether it is whole is looked at when calls are taken: a second saved
                return
            await versioning.keep(self._versions, folder, routing.digest)
            await self._enter(routing)
            await asyncio.to_thread(self._versions.remove_snapshot)
        except OSError as wrong:
            if self.in_force.digest not in ("", routing.digest):
                raise
            self._kept = False  # callers are answered all the same; the next look tries again
            report_unkept(wrong)

    async def _enter(self, routing: Routing) -> None:
        named = {prompt.sha256 for prompt in routing.prompts.values()}
        await asyncio.to_thread(self._versions.enter, routing.digest, named, datetime.now(UTC))
        self._kept = True

    async def _replace(self, routing: Routing) -> None:
        """Prepare a version and put it into force. At the start, Asterisk may be away: it is told later."""
        if self._prepare is not None and self.in_force.digest:
            await self._prepare(routing)
        self._put_into_force(routing)

    def _put_into_force(self, routing: Routing) -> None:
        self.in_force = routing
        self._older.pop(routing.digest, None)
        log.info(
            "routing_in_force",
            numbers=len(routing.numbers),
            owners=len(routing.owners),
            digest=routing.digest,
        )

    async def _take_kept(self) -> bool:
        """Put the newest version into force that can be used; False where there is none.

        The last one tried is the copy that earlier engines kept. Routes are judged by the settings of today.
        """
        for version in (await asyncio.to_thread(self._versions.all))[:TRIED]:
            routing = await self._read(version.digest, self._policy)
            if routing is not None:
                try:
                    await self._enter(routing)
                except OSError as wrong:
                    report_unkept(wrong)
                self._put_into_force(routing)
                return True
        if not self._versions.snapshot.is_dir():
            return False
        try:
            await self._take(self._versions.snapshot)
        except ConfigErrors as wrong:
            report(wrong)
            return False
        return True

    async def _read(self, digest: str, policy: Policy | None = None) -> Routing | None:
        """A kept version, its prompts published; None where it cannot be used, which is logged."""
        try:
            routing = await versioning.read(self._versions, digest, policy)
            return replace(routing, prompts=await publish(routing.prompts, self._prompts))
        except VersionError as wrong:
            report_unusable(wrong)
        except ConfigErrors as wrong:
            report_unusable(VersionError(digest, Why.UNREADABLE, str(wrong.errors[0])))
        return None

    def _prune(self) -> None:
        kept = {sha256 for version in self._versions.all() for sha256 in version.prompts}
        used = {prompt.sha256 for prompt in self.in_force.prompts.values()}
        prune(self._prompts, kept | used)


def report(wrong: ConfigErrors) -> None:
    """Log every error of a refused folder, one line each."""
    for error in wrong.errors:
        where = f"{error.file}:{error.place.line}:{error.place.column}"
        log.error("routing_refused", file=where, path=error.at, what=error.what)


def report_unusable(wrong: VersionError) -> None:
    """Log that a kept version is damaged, or cannot be read by this software."""
    if wrong.why is not Why.GONE:
        log.error("routing_version_unusable", digest=wrong.digest, why=wrong.why, detail=wrong.detail)


def report_unkept(wrong: OSError) -> None:
    log.error("routing_version_unkept", why=str(wrong), hint="check disk and modes of the state folder")
