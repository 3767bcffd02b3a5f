"""What all lines of one Asterisk share: the commands, the events, and how a destination is dialled."""

from collections.abc import Container, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from dialplan.prompt import Prompt
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError, Gone
from engine.ari.waiting import Waiting

log = structlog.get_logger()


@dataclass(slots=True)
class Exchange:
    """`endpoint`: how a number is dialled. `domains`: the trunk of each domain of SIP addresses.

    `detached`: calls live on without this engine.
    `last_known`: Asterisk's clock at its last sign of life: a call that ended with Asterisk ended then.
    `music`: the classes of music on hold of engine.music that Asterisk has. `waiting`: callers for whom no
    step has done anything yet.
    """

    client: Client
    dispatcher: Dispatcher
    last_known: datetime
    app: str = "engine"
    endpoint: str = "PJSIP/{number}@trunk"
    detached: bool = False
    music: Container[str] = ()
    domains: Mapping[str, str] = field(default_factory=dict)
    waiting: Waiting = field(default_factory=Waiting)


def media(prompt: Prompt) -> str:
    """Return the prompt as Asterisk's `play` takes it: without its suffix."""
    return f"sound:{prompt.path.with_suffix('')}"


async def best_effort(request: Coroutine[Any, Any, None]) -> None:
    """Send a command whose failure changes nothing: its channel has ended, or Asterisk has."""
    try:
        await request
    except Gone:
        pass
    except AriError as error:
        log.warning("ari_command_failed", error=str(error))
