"""What each carrier's file changes in a call: capacity, early media, silence; and files that change."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from devkit.carrier import Announces, Answers, Refuses
from devkit.phones import LOOPBACK, WITHHELD, shown
from tests.lateness import PATIENCE
from tests.live.agreed import new_destination
from tests.live.carrier_file import user_of
from tests.live.carriers import Trunking, trunking
from tests.live.conversation import hear_each_other
from tests.live.followed import Json
from tests.live.service import House, Service, at_your_service, until
from tests.live.sip import Agent, Ringing
from tests.live.test_control import live, run

EARLY_HZ = 700
BETA_CALLS_FROM = "127.0.0.8"


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunking]:
    with trunking(tmp_path_factory.mktemp("terms")) as running:
        yield running


@pytest.fixture
async def service(carriers: Trunking) -> AsyncIterator[Service]:
    async with at_your_service(carriers.house) as service:
        yield service


def carrier(service: Service, **settings: Any) -> dict[str, Any]:
    """The file of a carrier: the telephones."""
    return {"host": f"{LOOPBACK}:{service.house.carrier_port}", "qualify_seconds": 0, **settings}


async def test_a_call_for_which_a_carrier_has_no_room_is_placed_at_the_next(
    carriers: Trunking, service: Service
) -> None:
    destinations = [service.destination(Answers()) for _ in range(4)]
    routes = [[{"ring": to}] for to in destinations[:2]] + [[{"ring": destinations[2:]}]]
    numbers = carriers.house.agree(*routes)
    await carriers.have(trunk=carrier(service, calls=1), beta=carrier(service, calls=3))
    callers = []
    for number, to in zip(numbers, destinations, strict=False):
        callers.append(await service.call(number))
        await service.network.picked_up(to)
        await callers[-1].wait_answered()
    for caller in callers:
        await caller.hang_up()
    records = [await service.record(number) for number in numbers]
    assert [{leg.trunk for leg in record.legs} for record in records] == [{"trunk"}, {"beta"}, {"beta"}]


async def test_without_room_at_any_carrier_the_route_goes_on(carriers: Trunking, service: Service) -> None:
    (to, other) = (service.destination(Answers()) for _ in range(2))
    number, full = carriers.house.agree([{"ring": to}], [{"ring": other}, {"announce": "sorry"}])
    await carriers.have(trunk=carrier(service, calls=1))
    first = await service.call(number)
    await first.wait_answered()
    second = await service.call(full)
    await second.hears(1320)
    await second.wait_ended()
    await first.hang_up()
    record = await service.record(full)
    assert [(leg.to, leg.outcome, leg.answered) for leg in record.legs] == [(other, "failed", None)]


@pytest.mark.parametrize("early_media", [True, False])
async def test_early_media_of_a_carrier_is_heard_or_ringing(
    carriers: Trunking, service: Service, *, early_media: bool
) -> None:
    to = service.destination(Announces(EARLY_HZ, 1.5, 486))
    (number,) = carriers.house.agree([{"ring": to}])
    await carriers.have(trunk=carrier(service, early_media=early_media, order=2))
    caller = await service.call(number)
    if early_media:
        await caller.hears(EARLY_HZ)
    await caller.wait_ended()
    assert caller.ringing is not None
    assert (caller.has_heard > 0) == early_media


async def test_a_party_of_this_carrier_that_is_silent_has_left(carriers: Trunking, service: Service) -> None:
    (number,) = carriers.house.agree([{"ring": (to := new_destination())}])
    with Agent() as mute:
        await carriers.have(trunk={"host": mute.address, "rtp_timeout": 1, "qualify_seconds": 0})
        caller = await service.call(number)
        leg = await asyncio.to_thread(Ringing.wait, mute, service.house.run.sip, to)
        await asyncio.to_thread(leg.pick_up)
        await caller.wait_ended(1 + PATIENCE)
        await asyncio.to_thread(leg.gone)
    record = await service.record(number)
    assert (record.outcome, record.ended_by, record.cause) == ("answered", "network", 44)


async def test_a_changed_file_is_in_force_without_a_restart_and_a_wrong_one_is_not(
    carriers: Trunking, service: Service
) -> None:
    """A call that talks goes on; the new carrier's calls come in; /ready, the metric and the log have it."""
    to, later = service.destination(Answers()), service.destination(Answers())
    number, other = carriers.house.agree([{"ring": to}], [{"ring": later}])
    await carriers.have(trunk=carrier(service))
    caller = await service.call(number)
    destination = await service.network.picked_up(to)
    await hear_each_other(caller, destination)
    await carriers.have(trunk=carrier(service, calls=1), beta=carrier(service, addresses=[BETA_CALLS_FROM]))
    assert service.house.metric('trunk_up{trunk="beta"}') == 1
    second = await service.call(other)
    await hear_each_other(second, await service.network.picked_up(later))
    service.forgiven.add("trunk_refused")
    (carriers.folder / "beta.yaml").write_text("hots: x\n")
    await until(lambda: service.house.metric("trunks_refused") == 1)
    ready = await asyncio.to_thread(ready_of, service.house)
    assert ready["trunks"] == {"trunk": True, "beta": True}
    assert [line for line in ready["warnings"] if "beta.yaml" in line]
    await hear_each_other(caller, destination)
    for one in (caller, second):
        await one.hang_up()
        await one.wait_ended()
    await carriers.have(trunk=carrier(service))
    assert service.house.metric("trunks_refused") == 0
    assert list((await asyncio.to_thread(ready_of, service.house))["trunks"]) == ["trunk"]
    assert [leg.trunk for leg in (await service.record(other)).legs] == ["beta"]


def ready_of(house: House) -> Any:
    with urlopen(house.run.metrics.replace("/metrics", "/ready"), timeout=5) as reply:  # noqa: S310 - ours
        return json.loads(reply.read())


async def test_destinations_in_the_carriers_form_keep_their_settings_and_their_record(
    carriers: Trunking, service: Service
) -> None:
    """What a destination is shown is found by the number of its leg, which the carrier has otherwise."""
    presented = {new_destination(): present for present in ("caller", "service_number", "anonymous")}
    to = [{"number": number, "present": present} for number, present in presented.items()]
    (number,) = carriers.house.agree([{"ring": {"to": to}}])
    await carriers.have(trunk=carrier(service, identity="ppi", numbers="national", country="32"))
    forms = [f"0{one[3:]}" for one in presented]
    for form in forms:
        service.network.behave(form, Refuses(486))
    caller = await service.call(number, shown("+32225551234"))
    came = [(await service.network.arrival(form)).invite for form in forms]
    assert (await caller.wait_ended()).code == 486
    assert [user_of(invite.one("from")) for invite in came] == ["0225551234", f"0{number[3:]}", "anonymous"]
    preferred = [user_of(invite.one("p-preferred-identity")) for invite in came]
    assert preferred == ["0225551234", f"0{number[3:]}", ""]
    record = await service.record(number)
    assert sorted((leg.to, leg.outcome) for leg in record.legs) == sorted((one, "busy") for one in presented)


def lines_with_trunk(service: Service, call: str) -> list[Json]:
    """What the engine has logged of that call and its carrier."""
    return [line for line in service.house.log() if line.get("call") == call and "trunk" in line]


async def test_which_carrier_a_call_came_from_is_in_record_metric_log_and_the_list_of_live_calls(
    carriers: Trunking, service: Service
) -> None:
    to, later = service.destination(Answers()), service.destination(Answers())
    number, other = carriers.house.agree([{"ring": to}], [{"ring": later}])
    await carriers.have(trunk=carrier(service), beta=carrier(service, addresses=[f"{LOOPBACK}/32"]))
    await until(lambda: "X_TRUNK=beta" in origins(carriers))
    caller = await service.call(number, WITHHELD["asserted and private"]("+32470555001"))
    await service.network.picked_up(to)
    assert [(call["caller"], call["trunk"]) for call in await live(service, number)] == [("withheld", "beta")]
    top = json.loads((await run(service, "top", "--once", "--format", "json")).output)
    assert top["trunks"] == [{"trunk": "beta", "live": 1}]
    assert "\nfrom carriers: beta 1\n" in (await run(service, "top", "--once")).output
    await until(lambda: 'calls_from_total{trunk="beta"} 1.0' in metrics(service))
    await caller.hang_up()
    record = await service.record(number)
    assert (record.trunk, record.withheld, record.caller) == ("beta", True, "")
    await until(lambda: lines_with_trunk(service, record.call_id))  # the log is written a moment later
    (line,) = lines_with_trunk(service, record.call_id)
    assert (line["event"], line["trunk"]) == ("call_started", "beta")
    assert LOOPBACK not in json.dumps(line)
    await carriers.have(trunk=carrier(service))
    await until(lambda: "no existence" in origins(carriers))
    caller = await service.call(other)
    await service.network.picked_up(later)
    await caller.hang_up()
    assert (await service.record(other)).trunk == "trunk"


def metrics(service: Service) -> str:
    with urlopen(service.house.run.metrics, timeout=5) as reply:  # noqa: S310 - our own http address
        return str(reply.read(), "utf-8")


def origins(carriers: Trunking) -> str:
    running = carriers.house.asterisk.running
    assert running is not None
    return running.cli("dialplan show origins")
