"""What every page of the portal uses, as one value."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
from aiohttp import web

from config.portal import Portal
from portal.link_mail import LinkMailer
from portal.routing import RoutingInForce
from portal.secrets import Secrets
from portal.switches import SwitchFile
from storage.api_tokens import TokenHashes
from storage.encrypted_store import EncryptedStore


@dataclass(frozen=True, slots=True)
class Services:
    """`pool`: connections of the role that sees one owner's rows at a time."""

    portal: Portal
    pool: asyncpg.Pool
    routing: RoutingInForce
    secrets: Secrets
    links: LinkMailer
    encrypted_store: EncryptedStore
    tokens: TokenHashes
    switches: SwitchFile

    @property
    def is_secure(self) -> bool:
        """Whether owners reach it over TLS."""
        return self.portal.url.startswith("https://")

    @property
    def idle(self) -> timedelta:
        return timedelta(hours=self.portal.session_hours)


type Unlimited = Callable[[asyncio.BaseTransport | None], None]

SERVICES = web.AppKey("services", Services)
UNLIMITED: web.AppKey[Unlimited] = web.AppKey("unlimited")
