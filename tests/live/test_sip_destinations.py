"""SIP addresses as destinations, at the telephone system of their domain: real telephones, with audio."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from devkit.carrier import Answers, Refuses, Rings
from devkit.phones import LOOPBACK, WITHHELD, shown
from tests.live.agreed import PROMPTS, new_caller
from tests.live.carriers import Trunking, trunking
from tests.live.conversation import hear_each_other
from tests.live.fragile import Fragile
from tests.live.service import Service, at_your_service, until
from tests.live.telephone_system import DOMAIN, TRUNK, legs, new_user, system, telephone
from tests.live.test_control import run


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunking]:
    with trunking(tmp_path_factory.mktemp("sip")) as running:
        yield running


@pytest.fixture
async def service(carriers: Trunking) -> AsyncIterator[Service]:
    async with at_your_service(carriers.house) as service:
        await carriers.have(**{TRUNK: system(service)})
        yield service


async def test_a_telephone_at_an_address_answers_and_the_record_has_the_address(
    carriers: Trunking, service: Service
) -> None:
    user, to = telephone(service, Answers())
    (number,) = carriers.house.agree([{"ring": to}])
    caller = await service.call(number, shown(who := new_caller()))
    await hear_each_other(caller, await service.network.picked_up(user))
    await caller.hang_up()
    record = await service.record(number)
    assert (record.outcome, record.delivered_to, record.ended_by) == ("answered", to, "caller")
    assert legs(record) == [(to, TRUNK, "taken")]
    invite = (await service.network.arrival(user)).invite
    assert invite.start == f"INVITE {to} SIP/2.0"  # not the address of the host
    assert not invite.all("route")
    assert who in invite.one("from")


async def test_a_withheld_caller_stays_withheld(carriers: Trunking, service: Service) -> None:
    user, to = telephone(service, Answers())
    (number,) = carriers.house.agree([{"ring": to}])
    caller = await service.call(number, WITHHELD["real From and private"](who := new_caller()))
    await hear_each_other(caller, await service.network.picked_up(user))
    await caller.hang_up()
    record = await service.record(number)
    assert (record.caller, record.withheld, record.delivered_to) == ("", True, to)
    text = (await service.network.arrival(user)).invite.text
    assert who.removeprefix("+") not in text
    assert "anonymous" in text


async def test_an_address_and_a_number_ring_at_once_each_at_its_trunk(
    carriers: Trunking, service: Service
) -> None:
    user, to = telephone(service, Rings())
    mobile = service.destination(Answers(after=1.0))
    (number,) = carriers.house.agree([{"ring": {"to": [to, mobile]}}])
    caller = await service.call(number)
    await service.network.arrival(user)
    await hear_each_other(caller, await service.network.picked_up(mobile))
    await service.cancelled(user)
    await caller.hang_up()
    record = await service.record(number)
    assert record.delivered_to == mobile
    assert set(legs(record)) == {(to, TRUNK, "no_answer"), (mobile, "trunk", "taken")}


async def test_telephones_whose_addresses_are_nearly_the_same_are_shown_and_told_different_things(
    carriers: Trunking, service: Service
) -> None:
    """By one Dial, whose legs find what is meant for them by their addresses."""
    user = f"{new_user()}_a.b"
    busy, other = user.upper(), f"+{user}"
    for name, behaviour in ((user, Answers(after=0.5)), (busy, Refuses(486)), (other, Rings())):
        service.network.behave(name, behaviour)
    to = [
        {"number": f"sip:{busy}@{DOMAIN}", "present": "service_number", "whisper": "sorry"},
        {"number": f"sip:{user}@{DOMAIN}", "whisper": "welcome"},
        {"number": f"sip:{other}@{DOMAIN}", "present": "anonymous"},
    ]
    (number,) = carriers.house.agree([{"ring": {"to": to}}])
    caller = await service.call(number, shown(who := new_caller()))
    destination = await service.network.picked_up(user)
    await destination.hears(PROMPTS["welcome"])
    await hear_each_other(caller, destination)
    seen = {name: (await service.network.arrival(name)).invite.one("from") for name in (busy, user, other)}
    assert (number in seen[busy], who in seen[user], "anonymous" in seen[other]) == (True, True, True)
    await caller.hang_up()
    record = await service.record(number)
    assert set(legs(record)) == {
        (f"sip:{busy}@{DOMAIN}", TRUNK, "busy"),
        (f"sip:{user}@{DOMAIN}", TRUNK, "taken"),
        (f"sip:{other}@{DOMAIN}", TRUNK, "no_answer"),
    }


@pytest.mark.parametrize("others", [0, 1])
async def test_a_telephone_is_asked_to_take_the_call(
    carriers: Trunking, service: Service, others: int
) -> None:
    """Alone in [connect], beside others in [apart]."""
    user, to = telephone(service, Answers())
    later = [{"number": telephone(service, Rings())[1], "delay": 1} for _ in range(others)]
    (number,) = carriers.house.agree([{"ring": {"to": [{"number": to, "confirm": True}, *later]}}])
    caller = await service.call(number)
    destination = await service.network.picked_up(user)
    await destination.hears(PROMPTS["confirm"])
    await destination.press("1")
    await hear_each_other(caller, destination)
    await caller.hang_up()
    record = await service.record(number)
    assert [(leg.to, leg.confirmation) for leg in record.legs if leg.outcome == "taken"] == [(to, "key")]


async def test_one_after_another_the_next_is_rung_and_busy_branches(
    carriers: Trunking, service: Service
) -> None:
    first, second = telephone(service, Refuses(486)), telephone(service, Refuses(486))
    ring = {"to": [first[1], second[1]], "strategy": "in_order", "busy": [{"hangup": "busy"}]}
    (number,) = carriers.house.agree([{"ring": ring}])
    assert (await (await service.call(number)).wait_ended()).code == 486
    assert legs(await service.record(number)) == [
        (first[1], TRUNK, "busy"),
        (second[1], TRUNK, "busy"),
    ]


async def test_without_an_engine_the_fallback_may_be_an_address(carriers: Trunking, service: Service) -> None:
    user, to = telephone(service, Answers())
    (number,) = carriers.house.agree([{"ring": service.destination(Rings())}], fallback=to)
    table = carriers.house.endpoint.etc / "fallback.conf"
    await until(lambda: f"FB_{number[1:]}={to.removeprefix('sip:')}\n" in table.read_text())
    await run(service, "drain")
    try:
        caller = await service.call(number)
        await hear_each_other(caller, await service.network.picked_up(user))
    finally:
        await run(service, "drain", "--off")
    await caller.hang_up()
    record = await service.record(number)
    assert (record.delivered_to, legs(record)) == (to, [(to, TRUNK, "taken")])


async def test_the_terms_of_the_trunk_hold(carriers: Trunking, service: Service) -> None:
    """Two legs at a time; the caller's number in national form, which leaves the addresses as they are."""
    user, to = telephone(service, Answers())
    busy, other = telephone(service, Refuses(486))
    terms = {"calls": 2, "numbers": "national", "country": "32"}
    await carriers.have(**{TRUNK: system(service, **terms)})
    (number,) = carriers.house.agree([{"ring": {"to": [other, to]}}])
    caller = await service.call(number, shown(who := new_caller()))
    await hear_each_other(caller, await service.network.picked_up(user))
    for name, address in ((user, to), (busy, other)):
        invite = (await service.network.arrival(name)).invite
        assert invite.start == f"INVITE {address} SIP/2.0"
        assert f"sip:0{who[3:]}@" in invite.one("from")
    assert (await (await service.call(number)).wait_ended()).code == 500
    await caller.hang_up()
    outcomes = [leg.outcome for record in await service.records(number, 2) for leg in record.legs]
    assert sorted(map(str, outcomes)) == ["busy", "failed", "failed", "taken"]


async def test_a_killed_engine_has_not_forgotten_which_telephone_rings(
    carriers: Trunking, service: Service
) -> None:
    user, to = telephone(service, Answers(after=4.0))
    (number,) = carriers.house.agree([{"ring": to}])
    caller = await service.call(number)
    await service.network.arrival(user)
    engine = Fragile(carriers.house.engine)
    await engine.end()
    destination = await service.network.picked_up(user)
    await hear_each_other(caller, destination)
    await engine.start()
    await caller.hang_up()
    record = await service.record(number)
    assert (record.delivered_to, legs(record)) == (to, [(to, TRUNK, "taken")])


async def test_a_telephone_that_refuses_the_callers_number_is_shown_the_service_number(
    carriers: Trunking, service: Service
) -> None:
    user, to = telephone(service, Refuses(603))
    ring = {"to": {"number": to, "present_if_refused": "service_number"}}
    (number,) = carriers.house.agree([{"ring": ring}])
    await (await service.call(number)).wait_ended()
    first, second = [await service.network.arrival(user, nth) for nth in (1, 2)]
    assert number[3:] not in first.invite.one("from")
    assert number[3:] in second.invite.one("from")
    record = await service.record(number)
    assert (record.choices, legs(record)) == ((f"again {to}",), [(to, TRUNK, "rejected")] * 2)


async def test_a_system_that_does_not_answer_options_is_seen_and_costs_the_caller_no_time(
    carriers: Trunking, service: Service
) -> None:
    service.forgiven.add("trunk_down")
    (user, to), mobile = telephone(service, Answers()), service.destination(Answers())
    await carriers.have(**{TRUNK: system(service, host=f"{LOOPBACK}:9", qualify_seconds=1)})
    await until(lambda: carriers.house.metric(f'trunk_up{{trunk="{TRUNK}"}}') == 0)
    asterisk = carriers.house.asterisk.running
    assert asterisk
    await until(lambda: "Unavail" in asterisk.cli("pjsip show contacts"), every=0.1)
    (number,) = carriers.house.agree([{"ring": to}, {"ring": mobile}])
    caller = await service.call(number)
    await hear_each_other(caller, await service.network.picked_up(mobile))
    await caller.hang_up()
    record = await service.record(number)
    assert [leg.to for leg in record.legs] == [to, mobile]
    first, second = [leg.began for leg in record.legs]
    assert second - first < timedelta(seconds=2)
    await carriers.have(**{TRUNK: system(service, qualify_seconds=1)})
    await until(lambda: carriers.house.metric(f'trunk_up{{trunk="{TRUNK}"}}') == 1)
    caller = await service.call(number)
    await hear_each_other(caller, await service.network.picked_up(user))
    await caller.hang_up()
    await service.records(number, 2)


async def test_a_domain_that_was_removed_is_dialled_no_more_and_the_folder_is_refused(
    carriers: Trunking, service: Service
) -> None:
    user, to = telephone(service, Answers())
    mobile = service.destination(Answers())
    (number,) = carriers.house.agree([{"ring": to}, {"ring": mobile}])
    before = carriers.house.told("routing_refused")
    service.forgiven |= {"routing_refused"}
    await carriers.have()
    await until(lambda: carriers.house.told("routing_refused") > before)
    caller = await service.call(number)
    await hear_each_other(caller, await service.network.picked_up(mobile))
    await caller.hang_up()
    record = await service.record(number)
    assert legs(record) == [(to, "", "failed"), (mobile, "trunk", "taken")]
    assert [arrival for arrival in service.network.arrivals if arrival.number == user] == []
    in_force = carriers.house.told("routing_in_force")
    await carriers.have(**{TRUNK: system(service)})
    caller = await service.call(number)
    await hear_each_other(caller, await service.network.picked_up(user))
    await caller.hang_up()
    await service.records(number, 2)
    assert carriers.house.told("routing_in_force") == in_force  # it was in force all the time
