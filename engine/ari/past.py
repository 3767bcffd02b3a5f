"""Calls that are over: what is still told of one does not begin it anew, and no other call gets its id.

CEL's last lines are read twice after a crash. Asterisk's channel ids, of which ours are made, come again when
it begins again within a second, or once the clock was set back.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from engine.ari.arrival import Arrival
from journal.ids import call_id_of

KEPT = 50_000  # calls; about 10 MB


class Past:
    """`ended`: the calls that an earlier engine has ended, and when."""

    def __init__(self, ended: Mapping[str, datetime], node: str) -> None:
        self._ended = dict(ended)
        self._node = node

    def add(self, call_id: str, ended: datetime) -> None:
        self._ended[call_id] = ended
        if len(self._ended) > KEPT:
            del self._ended[next(iter(self._ended))]

    def fresh(self, came: Arrival) -> Arrival | None:
        """The call, under an id that no other call has; None where it is over."""
        ended = self._ended.get(came.call_id)
        if ended is None:
            return came
        if came.entered <= ended:
            return None
        other = replace(came, call_id=call_id_of(came.channel_id, self._node, came.entered))
        return None if other.call_id in self._ended else other
