"""Leases: Asterisk ends by itself what the engine no longer looks after, and nothing before that."""

from engine.ari.client import Client
from engine.dev.carrier import Answers
from tests.live.service import DESTINATION_HZ, Service

LONGEST = 240 * 60


async def test_both_legs_of_a_conversation_are_leased_beyond_the_longest_call(service: Service) -> None:
    """The destination's leg was made with a lease for its ringing, 35 s here: it must not end the talk."""
    to = service.destination(Answers(after=0.1))
    (number,) = service.house.agree([{"ring": {"to": [to], "seconds": 5}}])
    caller = await service.call(number)
    await caller.hears(DESTINATION_HZ)
    asterisk = service.house.endpoint
    async with Client(asterisk.ari_url, asterisk.ari_user, asterisk.ari_password) as client:
        channels = await client.channels.list()
        leases = [
            float(await client.channels.get_channel_var(channel.id, "TIMEOUT(absolute)"))
            for channel in channels
        ]
    await caller.hang_up()
    assert len(leases) == 2
    assert all(lease > LONGEST for lease in leases), leases
