"""Whose number the destination is shown, read off the wire: its own INVITE, whole."""

import asyncio
import re
from dataclasses import dataclass

import pytest

from devkit.carrier import Answers, Refuses
from devkit.phones import WITHHELD, Identity, asserted, shown
from devkit.wire import Message
from tests.live.agreed import Route, new_destination
from tests.live.service import DESTINATION_HZ, House, Service
from tests.live.sinks import canary

NAME = "Kanarie Vogel"
PRESENTED = ("caller", "service_number", "anonymous")
MOST = len(WITHHELD) + 3  # callers of all tests to destinations that are shown the same

type Agreed = dict[str, list[tuple[str, str]]]


@dataclass(frozen=True)
class Shown:
    """What an INVITE says of its sender: the user part of From and, as far as it has one, his name."""

    user: str
    name: str


def who_calls(invite: Message) -> Shown:
    found = re.match(r'(?:"(?P<name>.*)" )?<sip:(?P<user>[^@]*)@', invite.one("from"))
    assert found, invite.text
    return Shown(found["user"], found["name"] or "")


@pytest.fixture(scope="module")
def agreed(house: House) -> Agreed:
    """Numbers that nobody has called yet, and the destination of each, by what that is shown."""
    to = {present: [new_destination() for _ in range(MOST)] for present in PRESENTED}
    routes: list[Route] = [
        [{"ring": {"to": {"number": number, "present": present}}}] for present in to for number in to[present]
    ]
    numbers = iter(house.agree(*routes))
    return {present: [(next(numbers), number) for number in to[present]] for present in to}


async def invites(
    service: Service, agreed: Agreed, present: str, *callers: Identity
) -> list[tuple[str, Message]]:
    """The INVITEs that a destination with this setting gets from these callers, and the number dialled."""
    numbers, to = zip(*(agreed[present].pop() for _ in callers), strict=True)
    for destination in to:
        service.network.behave(destination, Refuses(486))
    calls = [await service.call(number, who) for number, who in zip(numbers, callers, strict=True)]
    came = await asyncio.gather(*map(service.network.arrival, to))
    await asyncio.gather(*(call.wait_ended() for call in calls))
    return list(zip(numbers, (arrival.invite for arrival in came), strict=True))


async def test_a_destination_is_shown_the_callers_number(service: Service, agreed: Agreed) -> None:
    number = canary()
    (_, invite), (_, from_pai) = await invites(
        service,
        agreed,
        "caller",
        shown(number, NAME),
        Identity("switchboard", headers=(asserted(number),)),
    )
    assert who_calls(invite) == Shown(number, NAME)
    assert who_calls(from_pai).user == number


async def test_a_destination_may_be_shown_the_service_number_instead(
    service: Service, agreed: Agreed
) -> None:
    secret = canary()
    ((number, invite),) = await invites(service, agreed, "service_number", shown(secret, NAME))
    assert who_calls(invite) == Shown(number, "")
    assert secret.removeprefix("+49") not in invite.text
    assert NAME not in invite.text


async def test_a_destination_may_be_shown_nobody(service: Service, agreed: Agreed) -> None:
    secret = canary()
    ((_, invite),) = await invites(service, agreed, "anonymous", shown(secret, NAME))
    assert who_calls(invite).user == "anonymous"
    assert secret.removeprefix("+49") not in invite.text
    assert NAME not in invite.text


@pytest.mark.parametrize("present", PRESENTED)
async def test_a_withheld_caller_is_shown_to_nobody(service: Service, agreed: Agreed, present: str) -> None:
    secrets = {way: canary() for way in WITHHELD}
    got = await invites(service, agreed, present, *(WITHHELD[way](secret) for way, secret in secrets.items()))
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


async def test_a_destination_is_not_told_who_forwarded_the_call(service: Service, agreed: Agreed) -> None:
    """Asterisk repeats Diversion in clear, with `privacy=full` and for withheld callers too (measured)."""
    forwarder = canary()
    diverted = ("Diversion", f"<sip:{forwarder}@127.0.0.1>;reason=unconditional;privacy=full")
    ((_, invite),) = await invites(service, agreed, "caller", Identity(canary(), headers=(diverted,)))
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
