"""Calls that no engine received, recognized by their first CEL events.

Asterisk has such a call at the number's fallback, or in a ring that an engine handed over and died before it
journalled; or its caller hung up before either; or Asterisk died before anything of that.
"""

from datetime import datetime

from engine.ari.arrival import Arrival
from journal.cel import CelEvent

DOOR = "door"  # the context in which a caller waits for the engine
MOST_BEGUN = 10_000  # callers' channels whose CHAN_START is kept, about 5 MB


class Unattended:
    """`country`: the calling code of numbers in national form, or empty."""

    def __init__(self, country: str, node: str) -> None:
        self._country = country
        self._node = node
        self._begun: dict[str, CelEvent] = {}  # CHAN_START of callers that no engine has, by channel

    def arrival(self, event: CelEvent) -> Arrival | None:
        """Return the call that begins with this event of a call that is not live; None if none does."""
        if event.kind == "CHAN_START" and event.is_of_caller:
            self._remember(event)
        if event.kind in ("FALLBACK", "RING") and "dialled" in event.extra:
            return Arrival.of_fallback(event, self._country, self._node)
        if event.kind == "HANGUP" and event.is_of_caller and (start := self._begun.pop(event.call, None)):
            abandoned = event.context == DOOR and event.extra.get("hangupsource") == event.name
            return (
                Arrival.of_abandoned(start, self._country, self._node) if abandoned and start.exten else None
            )
        return None

    def left_by_a_former(self, since: datetime) -> list[Arrival]:
        """Return the calls of an Asterisk that ended before `since`, of which it wrote no end."""
        began = [start for start in self._begun.values() if start.at < since]
        for start in began:
            del self._begun[start.call]
        return [Arrival.of_abandoned(start, self._country, self._node) for start in began if start.exten]

    def forget(self, channel: str) -> None:
        """The call of this caller has begun."""
        self._begun.pop(channel, None)

    def _remember(self, start: CelEvent) -> None:
        self._begun[start.call] = start
        if len(self._begun) > MOST_BEGUN:
            del self._begun[next(iter(self._begun))]
