"""Whose number the destination is shown, read off the wire: its own INVITE, whole."""

import asyncio
import re
from dataclasses import dataclass

import pytest

from devkit.carrier import Answers, Refuses
from devkit.phones import WITHHELD, Identity, asserted, shown
from devkit.wire import Message
from tests.live.service import DESTINATION_HZ, Service
from tests.live.sinks import canary

NAME = "Kanarie Vogel"


@dataclass(frozen=True)
class Shown:
    """What an INVITE says of its sender: the user part of From and, as far as it has one, his name."""

    user: str
    name: str


def who_calls(invite: Message) -> Shown:
    found = re.match(r'(?:"(?P<name>.*)" )?<sip:(?P<user>[^@]*)@', invite.one("from"))
    assert found, invite.text
    return Shown(found["user"], found["name"] or "")


async def invites(service: Service, present: str, *callers: Identity) -> list[tuple[str, Message]]:
    """The INVITEs that a destination with this setting gets from these callers, and the number dialled."""
    to = [service.destination(Refuses(486)) for _ in callers]
    numbers = service.house.agree(*([{"ring": {"to": {"number": it, "present": present}}}] for it in to))
    calls = [await service.call(number, who) for number, who in zip(numbers, callers, strict=True)]
    came = await asyncio.gather(*map(service.network.arrival, to))
    await asyncio.gather(*(call.wait_ended() for call in calls))
    return list(zip(numbers, (arrival.invite for arrival in came), strict=True))


async def test_a_destination_is_shown_the_callers_number(service: Service) -> None:
    number = canary()
    (_, invite), (_, from_pai) = await invites(
        service,
        "caller",
        shown(number, NAME),
        Identity("switchboard", headers=(asserted(number),)),
    )
    assert who_calls(invite) == Shown(number, NAME)
    assert who_calls(from_pai).user == number


async def test_a_destination_may_be_shown_the_service_number_instead(service: Service) -> None:
    secret = canary()
    ((number, invite),) = await invites(service, "service_number", shown(secret, NAME))
    assert who_calls(invite) == Shown(number, "")
    assert secret.removeprefix("+49") not in invite.text
    assert NAME not in invite.text


async def test_a_destination_may_be_shown_nobody(service: Service) -> None:
    secret = canary()
    ((_, invite),) = await invites(service, "anonymous", shown(secret, NAME))
    assert who_calls(invite).user == "anonymous"
    assert secret.removeprefix("+49") not in invite.text
    assert NAME not in invite.text


@pytest.mark.parametrize("present", ["caller", "service_number", "anonymous"])
async def test_a_withheld_caller_is_shown_to_nobody(service: Service, present: str) -> None:
    secrets = {way: canary() for way in WITHHELD}
    got = await invites(service, present, *(WITHHELD[way](secret) for way, secret in secrets.items()))
    for (number, invite), secret in zip(got, secrets.values(), strict=True):
        assert who_calls(invite).user == (number if present == "service_number" else "anonymous")
        assert secret.removeprefix("+49") not in invite.text


async def test_each_destination_of_a_ring_is_shown_what_is_set_for_it(service: Service) -> None:
    secret = canary()
    settings = {service.destination(Refuses(486)): it for it in ("caller", "service_number", "anonymous")}
    to = [{"number": destination, "present": present} for destination, present in settings.items()]
    (number,) = service.house.agree([{"ring": {"to": to}}])
    caller = await service.call(number, shown(secret))
    came = await asyncio.gather(*map(service.network.arrival, settings))
    assert [who_calls(arrival.invite).user for arrival in came] == [secret, number, "anonymous"]
    await caller.wait_ended()


async def test_a_destination_is_not_told_who_forwarded_the_call(service: Service) -> None:
    """Asterisk repeats Diversion in clear, with `privacy=full` and for withheld callers too (measured)."""
    forwarder = canary()
    diverted = ("Diversion", f"<sip:{forwarder}@127.0.0.1>;reason=unconditional;privacy=full")
    ((_, invite),) = await invites(service, "caller", Identity(canary(), headers=(diverted,)))
    assert forwarder.removeprefix("+49") not in invite.text


async def test_a_destination_that_answers_is_not_told_afterwards_either(service: Service) -> None:
    """Once two legs are bridged, Asterisk could tell each who the other is."""
    secret, to = canary(), service.destination(Answers(0.1))
    (number,) = service.house.agree([{"ring": {"to": {"number": to, "present": "service_number"}}}])
    caller = await service.call(number, shown(secret, NAME))
    await caller.hears(DESTINATION_HZ)
    await caller.hang_up()
    await (await service.network.picked_up(to)).wait_ended()
    told = "".join(service.network.wire)
    assert number in told
    assert secret.removeprefix("+49") not in told
    assert NAME not in told
