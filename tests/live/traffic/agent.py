"""The SIP of a process's telephones: one socket for their calls, and what its destinations do when called."""

import asyncio
import struct
from collections.abc import Mapping

from devkit.wire import Message
from tests.live.traffic.calls import Caller, Destination, Manner, Network, new_call_id, tagged
from tests.live.traffic.instants import Address, Datagrams
from tests.live.traffic.media import Media

FORWARDED = struct.Struct("!d")  # before a request that the exchange hands on: when it came there


class Agent:
    """All calls of this process. `exchange`: where calls for our destinations come from."""

    def __init__(self, asterisk: Address, exchange: Address, manners: Mapping[str, Manner]) -> None:
        self.media = Media()
        self.strays: list[str] = []  # what came for no call of ours
        self._exchange = exchange
        self._manners = manners
        self._datagrams = Datagrams()
        at = "{}:{}".format(*self._datagrams.address)
        self._network = Network(asterisk, at, self.media, self._datagrams.send)
        self._peers: dict[str, Caller | Destination] = {}  # by Call-ID
        self._callers: dict[str, Caller] = {}  # the latest call of each caller
        asyncio.get_running_loop().add_reader(self._datagrams, self._take)

    @property
    def dropped(self) -> int:
        """Packets that this process was too slow for."""
        return self._datagrams.dropped + self.media.dropped

    def report(self, index: int) -> None:
        """Tell the exchange where the process of that index is."""
        self._datagrams.send(str(index).encode(), self._exchange)

    def dial(self, number: str, who: str) -> Caller:
        """Somebody calls; the call is on its way when this returns."""
        target = "sip:{}@{}:{}".format(number, *self._network.asterisk)
        caller = Caller(self._network, new_call_id(), tagged(who), f"<{target}>", target)
        self._peers[caller.call_id] = self._callers[who] = caller
        caller.invite()
        return caller

    def close(self) -> None:
        self.media.close()
        asyncio.get_running_loop().remove_reader(self._datagrams)
        self._datagrams.close()

    def _take(self) -> None:
        for data, sender, at in self._datagrams.received():
            if sender == self._exchange:
                self._told(data[FORWARDED.size :], FORWARDED.unpack_from(data)[0])
            else:
                self._told(data, at)

    def _told(self, data: bytes, at: float) -> None:
        message = Message.read(data)
        if peer := self._peers.get(message.one("call-id")):
            peer.told(message, at)
        elif message.method == "INVITE" and user_of(message.one("from")) in self._callers:
            self._called(message, at)
        else:
            self.strays.append(message.start)

    def _called(self, invite: Message, at: float) -> None:
        """A destination of ours is called; by whom, its From says."""
        leg = Destination.of(self._network, invite, at, self._manners[invite.number])
        self._peers[leg.call_id] = leg
        self._callers[user_of(leg.theirs)].legs.append(leg)
        leg.ring()
        if leg.manner.rings is not None:
            asyncio.get_running_loop().call_later(leg.manner.rings, leg.decide)


def user_of(address: str) -> str:
    return address.partition("sip:")[2].partition("@")[0]
