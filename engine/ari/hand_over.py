"""The hand-over of a caller to the dialplan, where Asterisk rings, connects and lets them talk by itself."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from engine.ari.apart import CONTEXT as APART
from engine.ari.apart import rings_apart
from engine.ari.arrival import Arrival
from engine.ari.connect import CONTEXT, EXTENSION, ORDINARY, as_extension, returned, variables
from engine.ari.events import Dial
from engine.ari.exchange import Exchange, best_effort
from engine.line import Connect, Returned
from journal.ids import leg_id_of


class HandOver:
    """The rings of one call, one at a time.

    `returned`: done when the caller is back from the present ring; None while the caller is not handed over.
    `rang`: when each leg of a ring of several rang, by leg id. `destinations`: endpoint and number of each
    destination of the latest ring, according to CEL.
    """

    def __init__(self, exchange: Exchange, arrival: Arrival) -> None:
        self.returned: asyncio.Future[Returned] | None = None
        self.rang: dict[str, datetime] = {}
        self.destinations: tuple[tuple[str, str], ...] = ()
        self._exchange = exchange
        self._arrival = arrival
        self._ring = 0

    @property
    def is_active(self) -> bool:
        """Whether the caller is in the dialplan, and not in our application."""
        return self.returned is not None and not self.returned.done()

    def begin(self, ring: int) -> None:
        """From now on StasisEnd is not the end of the call. `ring`: its number within the call, from 1."""
        self._ring = ring
        self.returned = asyncio.get_running_loop().create_future()

    def end(self) -> None:
        """From now on StasisEnd is a hang-up again, or the fallback: the caller is back, or never left."""
        self.returned = None

    def come_back(self, returned: Returned) -> None:
        """The caller is back in our application. Ignored if this ring was not handed over."""
        if self.returned is not None and self.is_active and returned.number == self._ring:
            self.returned.set_result(returned)

    def on_back(self, number: str, legs: Sequence[str], at: datetime) -> None:
        """Apply the arguments with which [back] returned the caller. Raises ValueError."""
        self.come_back(returned(self._arrival.call_id, number, "".join(legs), at))

    def on_ringing(self, event: Dial) -> None:
        self.rang.setdefault(leg_id_of(self._arrival.call_id, event.channel.id), event.at)

    async def start(self, connect: Connect) -> None:
        """Send the caller to the dialplan: one command for an ordinary ring, else two. Raises AriError.

        For a ring of several legs a subscription precedes it: only Dial events report when each leg rang, and
        the first may come 2 ms later. [apart] reports it by itself.
        """
        exchange, arrival = self._exchange, self._arrival
        channel_id, channels = arrival.channel_id, exchange.client.channels
        await exchange.waiting.taken(channel_id)
        apart = rings_apart(connect)
        if len(connect.to) > 1 and not apart:
            await best_effort(exchange.client.applications.subscribe(exchange.app, [f"channel:{channel_id}"]))
        last = int(channel_id[-1]) if channel_id[-1:].isdecimal() else 0  # spreads calls over the endpoints
        values = variables(
            connect,
            arrival.caller,
            arrival.dialled,
            exchange.endpoint,
            last,
            music=exchange.music,
            domains=exchange.domains,
        )
        context, extension = ORDINARY, as_extension(values)
        if extension is None:
            await channels.set_channel_vars(channel_id, values)
            context, extension = APART if apart else CONTEXT, EXTENSION
        await channels.continue_in_dialplan(channel_id, context=context, extension=extension, priority=1)
