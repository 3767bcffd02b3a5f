"""Calls that are over: a late event of such a call does not begin it again, and no other call gets its id.

CEL's last lines are read twice after a crash. Asterisk's channel ids, from which call ids are made, occur
again when Asterisk restarts within a second, or after the clock was set back.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from engine.ari.arrival import Arrival
from engine.ari.ended_calls import EndedCalls
from engine.ari.restarts import Restarts
from journal.ids import call_id_of


class Past:
    """`ended`: the calls that an earlier engine ended, and when. `restarts`: those of Asterisk."""

    def __init__(self, ended: Mapping[str, datetime], node: str) -> None:
        self._ended = EndedCalls()
        self._node = node
        self.restarts = Restarts()
        for call_id, at in ended.items():
            self.add(call_id, at)

    def add(self, call_id: str, ended: datetime) -> None:
        self._ended.add(call_id, ended)

    def admit(self, arrival: Arrival) -> Arrival | None:
        """Return the call, with an id that no other call has; None if the call is over."""
        ended = self._ended.get(arrival.call_id)
        if ended is None:
            return arrival
        if arrival.entered <= ended:
            return None
        other = replace(arrival, call_id=call_id_of(arrival.channel_id, self._node, arrival.entered))
        return None if self._ended.get(other.call_id) else other
