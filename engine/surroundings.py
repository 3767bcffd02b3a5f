"""The process around a connection to Asterisk: routing, fallbacks, music, and whether Asterisk is fit."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from config.rules import policy_of
from config.settings import Settings
from config.versions import Versions
from engine.ari.client import Client
from engine.checks import examine, refusals
from engine.fallback import FallbackTable
from engine.music import MusicClasses
from engine.registrations import Registrations
from engine.routing_store import RoutingStore
from engine.trunk_files import TrunkFiles
from engine.trunk_origins import origins_of
from engine.trunk_states import TrunkStates
from engine.trunk_terms import variables_of


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Implements engine.ari.setting.Setting."""

    client: Client
    routing_store: RoutingStore
    fallbacks: FallbackTable
    music: MusicClasses
    trunks: TrunkFiles
    trunk_states: TrunkStates
    registrations: Registrations
    country: str

    @classmethod
    def of(cls, settings: Settings, client: Client) -> Self:
        """The routing store is not opened yet. Before a version goes into force, Asterisk gets its music."""
        music = MusicClasses(settings.asterisk.etc_dir, client)
        routing_store = RoutingStore(
            settings.routing,
            Versions(settings.routing_versions),
            settings.prompts_dir,
            policy_of(settings),
            timedelta(days=settings.history_days),
            prepare=music.publish,
        )
        fallbacks = FallbackTable(settings.asterisk.etc_dir, client, settings.country)
        passwords = {name: secret.get_secret_value() for name, secret in settings.trunk_passwords.items()}
        trunks = TrunkFiles(settings.asterisk.trunks, settings.asterisk.etc_dir, client, passwords)
        trunks.read()
        states = TrunkStates(lambda: trunks.names, client.endpoints)
        registrations = Registrations(lambda: trunks.by_name, client)
        return cls(client, routing_store, fallbacks, music, trunks, states, registrations, settings.country)

    async def inspect(self) -> list[str]:
        """Return why this Asterisk is unfit for calls, each with the remedy."""
        return refusals(await examine(self.client.asterisk))

    async def renew(self) -> None:
        """Give Asterisk the carriers, and the fallbacks and the music of the version in force."""
        await self.renew_trunks()
        await self.music.publish(self.routing_store.in_force)

    async def renew_trunks(self) -> None:
        """Give Asterisk the carriers before it is told to dial them."""
        await self.trunks.publish()
        in_force = self.trunks.in_force
        variables = None if in_force is None else variables_of(in_force, self.country)
        origins = None if in_force is None else origins_of(in_force)
        await self.fallbacks.publish(self.routing_store.in_force, variables, origins)

    async def trunks_changed(self) -> None:
        """Renew the carriers; then read the routing folder again if other domains are allowed now."""
        others_allowed = self.routing_store.allow(self.trunks.domains)
        await self.renew_trunks()
        if others_allowed and await self.routing_store.reload():
            await self.renew()
