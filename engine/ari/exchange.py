"""What all lines and legs of one Asterisk share: the commands, the events, how a destination is dialled."""

from dataclasses import dataclass

from dialplan.caller import Caller
from dialplan.destination import Destination, Present
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.operations import Variables

# A created leg that is never dialled or looked after ends by itself.
ORPHAN_SECONDS = 30


@dataclass(slots=True)
class Exchange:
    """`endpoint` is where a number is dialled; `detached`: calls live on without us."""

    client: Client
    dispatcher: Dispatcher
    app: str = "engine"
    endpoint: str = "PJSIP/{number}@trunk"
    detached: bool = False

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
