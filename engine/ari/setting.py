"""What a connection to Asterisk needs from the process around it (engine.surroundings)."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from engine.ari.door import Door


class Unfit(Exception):
    """This Asterisk cannot serve the engine as it is."""


class Setting(Protocol):
    """What the process does at a connection to Asterisk (engine.surroundings)."""

    async def inspect(self) -> list[str]:
        """Return why this Asterisk is unfit for calls; called once, before the first call."""

    async def renew(self) -> None:
        """Renew what Asterisk stores for the engine; awaited at every connection, before calls are taken."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """The application that calls come to, how a number is dialled, and its country's calling code or "".

    `music`: the classes of music on hold that Asterisk has now. `door`: which calls are not taken. `domains`:
    the trunk of each domain of SIP addresses now.
    """

    app: str
    endpoint: str
    country: str = ""
    music: Container[str] = ()
    door: Door = field(default_factory=Door)
    domains: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cel:
    """The file that cel_custom.conf writes. `kept`: where the reader stores its position; `first`: this
    installation has never run."""

    file: Path
    kept: Path
    first: bool
