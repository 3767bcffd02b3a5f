"""Whether carriers have accepted our registration: a metric, /ready, a line in the log at each change.

Asterisk reports it in its own metrics (res_prometheus), once a carrier has answered for the first time.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

import structlog

from config.trunk import Trunk
from engine.ari.errors import AriError
from engine.trunk_sections import client_uri, contact

LOOK_SECONDS = 5.0
SERIES = re.compile(r"^asterisk_pjsip_outbound_registration_status\{(.*)\} (\d)", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
log = structlog.get_logger()


class State(StrEnum):
    """Asterisk retries in every state; UNKNOWN: it reports none, or res_prometheus is not loaded."""

    UNKNOWN = "unknown"
    UNREGISTERED = "unregistered"  # no answer, or an answer that may change: Asterisk tries again
    REGISTERED = "registered"
    REJECTED = "rejected"


OF_ASTERISK = {"0": State.UNREGISTERED, "1": State.REGISTERED, "2": State.REJECTED}


@dataclass(frozen=True, slots=True)
class Registration:
    """`since`: when this engine first saw the state."""

    state: State
    since: datetime


class Queries(Protocol):
    """Implemented by engine.ari.client.Client."""

    async def metrics(self) -> str: ...


class Registrations:
    """`trunks`: returns the carriers that have a file."""

    def __init__(self, trunks: Callable[[], Mapping[str, Trunk]], asterisk: Queries) -> None:
        self._trunks = trunks
        self._asterisk = asterisk
        self.known: dict[str, Registration] = {}

    @property
    def warnings(self) -> list[str]:
        return [
            f"trunk {name} is not registered ({known.state}) since {known.since:%Y-%m-%d %H:%M:%S} UTC: "
            "its calls do not come in; `callengine doctor` says what to do"
            for name, known in sorted(self.known.items())
            if known.state in (State.UNREGISTERED, State.REJECTED)
        ]

    @property
    def facts(self) -> dict[str, dict[str, str]]:
        """What /ready says of each."""
        return {
            name: {"state": known.state.value, "since": known.since.isoformat(timespec="seconds")}
            for name, known in sorted(self.known.items())
        }

    async def run(self) -> None:
        """Look until cancelled. While Asterisk is away, the last states stay."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once, if any carrier wants a registration."""
        wanted = {name: trunk for name, trunk in self._trunks().items() if trunk.registration}
        for name in self.known.keys() - wanted.keys():
            del self.known[name]
        if not wanted:
            return
        try:
            states = dict(states_in(await self._asterisk.metrics()))
        except (AriError, TimeoutError):
            states = None
        for name, trunk in wanted.items():
            if states is not None:
                self._see(name, states.get(uris(trunk), State.UNKNOWN))
            else:
                self.known.setdefault(name, Registration(State.UNKNOWN, datetime.now(UTC)))

    def _see(self, name: str, state: State) -> None:
        before = self.known.get(name)
        if before is not None and before.state == state:
            return
        self.known[name] = Registration(state, datetime.now(UTC))
        if state is State.REGISTERED:
            log.info("trunk_registered", trunk=name)
        elif state is not State.UNKNOWN:
            log.error("trunk_not_registered", trunk=name, state=state.value)


def uris(trunk: Trunk) -> tuple[str, str]:
    """Client and server URI of a registration, as Asterisk reports them: without the escapes of its files."""
    return client_uri(trunk).replace("\\", ""), contact(trunk).replace("\\", "")


def states_in(metrics: str) -> Iterator[tuple[tuple[str, str], State]]:
    """The states in Asterisk's metrics, by client and server URI."""
    for labels, value in SERIES.findall(metrics):
        named = dict(LABEL.findall(labels))
        yield (
            (named.get("username", ""), named.get("domain", "")),
            OF_ASTERISK.get(value, State.UNKNOWN),
        )
