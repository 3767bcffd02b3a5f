"""What all lines and legs of one Asterisk share: the commands, the events, how a destination is dialled."""

from collections.abc import Container, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from dialplan.prompt import Prompt
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError, Gone

log = structlog.get_logger()


@dataclass(slots=True)
class Exchange:
    """`endpoint`: where a number is dialled. `detached`: calls live on without us.

    `last_known`: Asterisk's clock at its last sign of life: a call that ended with Asterisk ended then.
    `music`: the classes of music on hold that Asterisk has, of those that engine.music publishes.
    """

    client: Client
    dispatcher: Dispatcher
    last_known: datetime
    app: str = "engine"
    endpoint: str = "PJSIP/{number}@trunk"
    detached: bool = False
    music: Container[str] = ()


def media(prompt: Prompt) -> str:
    """The prompt as Asterisk's `play` takes it: without its suffix."""
    return f"sound:{prompt.path.with_suffix('')}"


async def let_go(request: Coroutine[Any, Any, None]) -> None:
    """A command whose failure changes nothing: what is to be let go is gone, or Asterisk itself is."""
    try:
        await request
    except Gone:
        pass
    except AriError as trouble:
        log.warning("ari_failed", error=str(trouble))
