"""What a connection to Asterisk needs of the process around it (engine.service)."""

from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from engine.ari.door import Door


class Unfit(Exception):
    """This Asterisk cannot serve us as it is."""


class Setting(Protocol):
    """What the process does around the calls (engine.service)."""

    async def inspect(self) -> list[str]:
        """Why this Asterisk will not do; asked once, before the first call."""

    async def renew(self) -> None:
        """Renew what Asterisk keeps for us. Awaited at every connection, before calls are taken."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """The application that calls come to, where a number is dialled, and its country's calling code or "".

    `music`: the classes of music on hold that Asterisk has, now. `door`: what is not taken at all.
    """

    app: str
    endpoint: str
    country: str = ""
    music: Container[str] = ()
    door: Door = field(default_factory=Door)


@dataclass(frozen=True, slots=True)
class Cel:
    """The file that cel_custom.conf writes; `kept`: how far it was read; `first`: this engine is new here."""

    file: Path
    kept: Path
    first: bool
