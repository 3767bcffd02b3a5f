"""The process around a connection to Asterisk: routing, fallbacks, music, and whether Asterisk is fit."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from config.policy import Policy
from config.settings import Settings
from config.trunks import Trunks
from config.versions import Versions
from engine.ari.client import Client
from engine.checks import examine, refusals
from engine.fallback import FallbackTable
from engine.music import MusicClasses
from engine.routing_store import RoutingStore
from engine.trunk_files import FIRST, TrunkFile, order, read_trunks
from engine.trunk_states import TrunkStates


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Implements engine.ari.setting.Setting."""

    client: Client
    routing_store: RoutingStore
    fallbacks: FallbackTable
    music: MusicClasses
    trunk_file: TrunkFile
    trunks: Trunks | None
    trunk_states: TrunkStates

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
        trunks = read_trunks(settings.asterisk.trunks)
        following = None if trunks is None else order(trunks)
        fallbacks = FallbackTable(settings.asterisk.etc_dir, client, settings.country, following)
        passwords = {name: secret.get_secret_value() for name, secret in settings.trunk_passwords.items()}
        trunk_file = TrunkFile(settings.asterisk.etc_dir, client, passwords)
        states = TrunkStates((FIRST, *(trunks.names if trunks else ())), client.endpoints)
        return cls(client, routing_store, fallbacks, music, trunk_file, trunks, states)

    async def inspect(self) -> list[str]:
        """Return why this Asterisk is unfit for calls, each with the remedy."""
        return refusals(await examine(self.client.asterisk))

    async def renew(self) -> None:
        """Give Asterisk the fallbacks and the music of the version in force."""
        if self.trunks is not None:
            await self.trunk_file.publish(self.trunks)
        await self.fallbacks.publish(self.routing_store.in_force)
        await self.music.publish(self.routing_store.in_force)
