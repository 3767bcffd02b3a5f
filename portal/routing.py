"""The routing in force, as the portal reads it: who the owners are, and what their numbers do.

The engine of this host stores every accepted routing folder and points to the one in force. That link is
looked at every second; another process reads a new version, which replaces the one before when it is whole.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import structlog

from config.owner_changes import OwnerChanges
from config.versioning import read
from config.versions import VersionError, Versions, is_digest
from dialplan.number import Owner, ServiceNumber
from dialplan.routing import Routing

LOOK_SECONDS = 1.0
EARLIER = 4  # versions of past calls that stay in memory
UTC = ZoneInfo("UTC")
log = structlog.get_logger()


class RoutingInForce:
    """The owners, with their own changes, and their numbers.

    `troubles`: why there are none, or why they are not the latest.
    """

    def __init__(self, versions: Versions, changes: OwnerChanges) -> None:
        self._versions = versions
        self._changes = changes
        self._routing: Routing | None = None
        self._unreadable = ""
        self._earlier: dict[str, Routing] = {}
        self._by_owner: Mapping[str, Sequence[ServiceNumber]] = {}
        self._by_address: Mapping[str, Sequence[str]] = {}
        self.troubles: list[str] = ["the routing in force has not been read yet"]

    async def keep_reading(self) -> None:
        """Follow the link until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Read the version in force, and the owners' changes, unless they are known."""
        if await asyncio.to_thread(self._changes.read) and self._routing is not None:
            self._by_address = by_address(self._owners(self._routing))
        digest = self._digest()
        if self._routing is not None and digest == self._routing.digest:
            self.troubles = []
            return
        if not digest:
            self.troubles = [f"no routing is in force in {self._versions.root}: start the engine"]
            return
        try:
            self._use(await read(self._versions, digest))
        except VersionError as error:
            self.troubles = [f"the routing version in force is {error.why}: {error.detail or digest}"]
            if self._unreadable != digest:
                log.error("portal_routing_unreadable", digest=digest, why=str(error.why))  # noqa: TRY400 - `why` has it
                self._unreadable = digest

    async def version(self, digest: str) -> Routing | None:
        """The routing version of a past call; None if it is not kept on this host."""
        if self._routing is not None and digest == self._routing.digest:
            return self._routing
        if digest not in self._earlier and is_digest(digest):
            try:
                found = await read(self._versions, digest)
            except VersionError:
                return None
            while len(self._earlier) >= EARLIER:
                self._earlier.pop(next(iter(self._earlier)))
            self._earlier[digest] = found
        return self._earlier.get(digest)

    def owner(self, name: str) -> Owner | None:
        """The owner as it is in force."""
        ground = self.ground(name)
        return self._changes.apply(name, ground) if ground else None

    def ground(self, name: str) -> Owner | None:
        """The owner of the operator's file, without the owner's own changes."""
        return self._routing.owners.get(name) if self._routing else None

    def _owners(self, routing: Routing) -> Mapping[str, Owner]:
        return self._changes.apply_all(routing.owners)

    def owners_of(self, address: str) -> Sequence[str]:
        """The owners with this mail address, by name; case does not count."""
        return self._by_address.get(address.casefold(), ())

    def numbers_of(self, owner: str) -> Sequence[ServiceNumber]:
        """Their service numbers, in order."""
        return self._by_owner.get(owner, ())

    def zone_of(self, owner: str) -> ZoneInfo:
        """The time zone of most of their numbers."""
        zones = Counter(number.zone for number in self.numbers_of(owner))
        return zones.most_common(1)[0][0] if zones else UTC

    @property
    def routing(self) -> Routing | None:
        return self._routing

    def _digest(self) -> str:
        """The digest of the version in force, "" if there is none."""
        try:
            name = self._versions.in_force.readlink().name
        except OSError:
            return ""
        return name if is_digest(name) else ""

    def _use(self, routing: Routing) -> None:
        by_owner: dict[str, list[ServiceNumber]] = {}
        for number in routing.numbers.values():
            by_owner.setdefault(number.owner, []).append(number)
        self._by_owner = {name: sorted(some, key=lambda it: it.number) for name, some in by_owner.items()}
        self._by_address = by_address(self._owners(routing))
        self._routing, self.troubles = routing, []
        log.info("portal_routing_read", owners=len(routing.owners), numbers=len(routing.numbers))


def by_address(owners: Mapping[str, Owner]) -> Mapping[str, Sequence[str]]:
    """The names of the owners with each mail address, in order; case does not count."""
    found: dict[str, list[str]] = {}
    for name, owner in sorted(owners.items()):
        for address in addresses_of(owner):
            found.setdefault(address.casefold(), []).append(name)
    return found


def addresses_of(owner: Owner) -> Sequence[str]:
    """Every mail address of this owner, each once."""
    return list(dict.fromkeys([*owner.mail, *([owner.mail_then] if owner.mail_then else [])]))
