"""What all lines and legs of one Asterisk share: the commands, the events, how a destination is dialled."""

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from dialplan.caller import Caller
from dialplan.destination import Destination, Present
from dialplan.prompt import Prompt
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError, Gone
from engine.ari.operations import Variables
from engine.ari.witness import Witness

log = structlog.get_logger()

# A created leg that is never dialled or looked after ends by itself.
ORPHAN_SECONDS = 30


@dataclass(slots=True)
class Exchange:
    """`endpoint` is where a number is dialled; `detached`: calls live on without us; `witness` reads CEL."""

    client: Client
    dispatcher: Dispatcher
    app: str = "engine"
    endpoint: str = "PJSIP/{number}@trunk"
    detached: bool = False
    witness: Witness | None = None

    def address(self, to: Destination) -> str:
        return self.endpoint.format(number=to.number)


def shown_to(to: Destination, caller: Caller) -> Present:
    """Whom this destination is shown: a caller without a number that may be shown is shown to nobody.

    Asterisk judges for itself who withholds, and copies name and number of whom it takes for no such caller.
    What is in the record holds on the wire too.
    """
    if to.present is Present.CALLER and caller.number is None:
        return Present.ANONYMOUS
    return to.present


def media(prompt: Prompt) -> str:
    """The prompt as Asterisk's `play` takes it: without its suffix."""
    return f"sound:{prompt.path.with_suffix('')}"


def presented(present: Present, service_number: str) -> Variables:
    """The variables of a leg by which its destination sees another number than the caller's, or none.

    `callerId=` at creation would put the number in clear into From and PAI whatever its presentation; the
    connected line is what an outgoing leg shows (measured, Asterisk 22.10.1).
    """
    match present:
        case Present.CALLER:
            return {}
        case Present.SERVICE_NUMBER:
            return {"CONNECTEDLINE(num,i)": service_number, "CONNECTEDLINE(pres)": "allowed"}
        case Present.ANONYMOUS:
            return {"CONNECTEDLINE(num,i)": "", "CONNECTEDLINE(pres)": "prohib"}


async def let_go(request: Coroutine[Any, Any, None]) -> None:
    """A command whose failure changes nothing: what is to be let go is gone, or Asterisk itself is."""
    try:
        await request
    except Gone:
        pass
    except AriError as trouble:
        log.warning("ari_failed", error=str(trouble))
