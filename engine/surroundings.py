"""The process around a connection to Asterisk: routing, fallbacks, music, and whether Asterisk is fit."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from config.policy import Policy
from config.settings import Settings
from config.versions import Versions
from engine.ari.client import Client
from engine.checks import examine, refusals
from engine.fallback import FallbackTable
from engine.music import MusicClasses
from engine.routing_store import RoutingStore


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Implements engine.ari.setting.Setting."""

    client: Client
    routing_store: RoutingStore
    fallbacks: FallbackTable
    music: MusicClasses

    @classmethod
    def of(cls, settings: Settings, client: Client) -> Self:
        """The routing store is not opened yet. Before a version goes into force, Asterisk gets its music."""
        music = MusicClasses(settings.asterisk.etc_dir, client)
        routing_store = RoutingStore(
            settings.routing,
            Versions(settings.routing_versions),
            settings.prompts_dir,
            Policy(settings.destinations.countries),
            timedelta(days=settings.history_days),
            prepare=music.publish,
        )
        fallbacks = FallbackTable(settings.asterisk.etc_dir, client, settings.country)
        return cls(client, routing_store, fallbacks, music)

    async def inspect(self) -> list[str]:
        """Return why this Asterisk is unfit for calls, each with the remedy."""
        return refusals(await examine(self.client.asterisk))

    async def renew(self) -> None:
        """Give Asterisk the fallbacks and the music of the version in force."""
        await self.fallbacks.publish(self.routing_store.in_force)
        await self.music.publish(self.routing_store.in_force)
