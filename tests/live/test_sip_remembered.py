"""What counts calls and outcomes by destination works for SIP addresses: `max_calls`, breakers, `replay`."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from devkit.carrier import Answers, Behaviour, Dead, Refuses, Rings
from devkit.phones import LOOPBACK
from tests.lateness import late
from tests.live.agreed import Route, write_numbers
from tests.live.carriers import Trunking, trunking
from tests.live.conversation import hear_each_other
from tests.live.fragile import Fragile
from tests.live.service import Service, at_your_service, until
from tests.live.telephone_system import DOMAIN, TRUNK, legs, system, telephone

BETA = "pbx.beta.example"


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunking]:
    with trunking(tmp_path_factory.mktemp("remembered")) as running:
        yield running


@pytest.fixture
async def service(carriers: Trunking) -> AsyncIterator[Service]:
    async with at_your_service(carriers.house) as service:
        await carriers.have(**systems(service))
        yield service


def systems(service: Service, **settings: Any) -> Mapping[str, Mapping[str, Any]]:
    """The trunks of two telephone systems: numbers of one test stay in the routing folder of the next."""
    return {TRUNK: system(service, **settings), "beta-pbx": system(service, sip_domain=BETA)}


async def test_a_telephone_that_has_as_many_calls_as_it_may_have_is_busy_also_after_a_kill(
    carriers: Trunking, service: Service
) -> None:
    user, to = telephone(service, Answers())
    route: Route = [{"ring": {"to": {"number": to, "max_calls": 1}, "busy": [{"hangup": "busy"}]}}]
    (number,) = carriers.house.agree(route)
    caller = await service.call(number)
    destination = await service.network.picked_up(user)
    await hear_each_other(caller, destination)
    assert (await (await service.call(number)).wait_ended()).code == 486
    engine = Fragile(carriers.house.engine)
    await engine.end()
    await engine.start()
    assert (await (await service.call(number)).wait_ended()).code == 486
    await hear_each_other(caller, destination)
    await caller.hang_up()
    await until(lambda: service.house.metric("calls_live") == 0)
    third = await service.call(number)
    await hear_each_other(third, await service.network.picked_up(user, 2))
    await third.hang_up()
    records = await service.records(number, 4)
    assert [record.outcome for record in records] == ["answered", "busy", "busy", "answered"]
    assert [len(record.legs) for record in records] == [1, 0, 0, 1]


@pytest.mark.parametrize("apart", [False, True])
async def test_of_two_telephones_the_one_with_room_rings_and_case_and_domain_make_another(
    carriers: Trunking, service: Service, apart: bool
) -> None:
    """The full one differs from the others in the case of its user, or in its domain alone."""
    user, full = telephone(service, Answers())
    there = f"sip:{user}@{BETA}" if apart else f"sip:{user.upper()}@{DOMAIN}"
    other = user if apart else user.upper()
    both = [{"number": it, "max_calls": 1} for it in (full, there)]
    service.network.behave(other, Answers())
    alone, ring = carriers.house.agree([{"ring": full}], [{"ring": {"to": both}}])
    caller = await service.call(alone)
    await hear_each_other(caller, await service.network.picked_up(user))
    second = await service.call(ring)
    await hear_each_other(second, await service.network.picked_up(other, 2 if apart else 1))
    assert (await (await service.call(ring)).wait_ended()).code == 486
    for telephone_ in (caller, second):
        await telephone_.hang_up()
    answered, refused = await service.records(ring, 2)
    trunk = "beta-pbx" if apart else TRUNK
    assert (legs(answered), legs(refused)) == ([(there, trunk, "taken")], [])


@pytest.mark.parametrize("outage", [Refuses(404), pytest.param(Dead(), marks=pytest.mark.heavy)], ids=str)
async def test_a_telephone_that_was_unreachable_three_times_in_a_row_is_left_out_until_it_is_reached(
    carriers: Trunking, service: Service, outage: Behaviour
) -> None:
    (user, gone), (_, there) = telephone(service, outage), telephone(service, Refuses(486))
    route: Route = [{"ring": {"to": [gone, there], "strategy": "in_order", "seconds": 5}}]
    both, alone = carriers.house.agree(route, [{"ring": gone}])
    before = service.house.metric("destinations_left_out")
    for _ in range(4):
        await (await service.call(both)).wait_ended()
    *earlier, last = await service.records(both, 4)
    assert [legs(record) for record in earlier] == [
        [(gone, TRUNK, "unreachable"), (there, TRUNK, "busy")]
    ] * 3
    assert (legs(last), last.unreachable) == ([(there, TRUNK, "busy")], (gone,))
    assert service.house.metric("destinations_left_out") == before + 1
    service.network.behave(user, Answers())
    for number, nth in ((alone, 4), (both, 5)):  # alone it is never left out; then it has been reached
        caller = await service.call(number)
        await hear_each_other(caller, await service.network.picked_up(user, nth))
        await caller.hang_up()
        await service.records(number, 5 if number == both else 1)
    assert service.house.metric("destinations_left_out") == before
    assert await replayed(service, service.house.routing, both) == "0 of 5 calls would go elsewhere\n"


async def test_a_telephone_of_a_dead_system_is_not_left_out_and_rings_as_soon_as_the_system_is_back(
    carriers: Trunking, service: Service
) -> None:
    """Asterisk does not dial it, which costs the caller nothing; a breaker would wait after the outage."""
    service.forgiven.add("trunk_down")
    (user, to), mobile = telephone(service, Answers()), service.destination(Refuses(486))
    await carriers.have(**systems(service, host=f"{LOOPBACK}:9", qualify_seconds=1))
    await until(lambda: " Unavail " in contact_of(carriers), every=0.1)
    (number,) = carriers.house.agree([{"ring": {"to": [to, mobile], "strategy": "in_order"}}])
    for _ in range(4):
        await (await service.call(number)).wait_ended()
    records = await service.records(number, 4)
    assert [legs(record) for record in records] == [[(to, "", "failed"), (mobile, "trunk", "busy")]] * 4
    assert [record.unreachable for record in records] == [()] * 4
    await carriers.have(**systems(service, qualify_seconds=1))
    await until(lambda: carriers.house.metric(f'trunk_up{{trunk="{TRUNK}"}}') == 1)
    caller = await service.call(number)
    await hear_each_other(caller, await service.network.picked_up(user))
    await caller.hang_up()
    await service.records(number, 5)


async def test_a_system_is_asked_at_once_whether_it_is_there_also_at_another_host(
    carriers: Trunking, service: Service
) -> None:
    """Long before `qualify_seconds` have passed: until then calls to a dead system wait 16 s."""
    service.forgiven.add("trunk_down")
    dead, living, dead_too = f"{LOOPBACK}:9", system(service)["host"], f"{LOOPBACK}:7"
    for host, state in ((dead, "Unavail"), (living, "Avail"), (dead_too, "Unavail")):
        await carriers.have(**systems(service, host=host, qualify_seconds=60))
        begun = time.monotonic()

        def is_known(state: str = state) -> bool:
            return f" {state} " in contact_of(carriers)

        await until(is_known, every=0.1)
        assert timedelta(seconds=time.monotonic() - begun) < timedelta(seconds=5) + late()


def contact_of(carriers: Trunking) -> str:
    """What Asterisk says of the system: Avail, Unavail, or NonQual before the first OPTIONS has ended."""
    asterisk = carriers.house.asterisk.running
    assert asterisk
    shown = asterisk.cli("pjsip show contacts").splitlines()
    return next((line for line in shown if f"{TRUNK}_" in line), "")


async def test_replay_compares_addresses_also_once_their_domain_is_gone(
    carriers: Trunking, service: Service, tmp_path: Path
) -> None:
    (_, to), (user, other) = telephone(service, Refuses(486)), telephone(service, Answers())
    mobile = service.destination(Rings())
    (number,) = carriers.house.agree([busy_at(to, other)])
    caller = await service.call(number)
    await hear_each_other(caller, await service.network.picked_up(user))
    await caller.hang_up()
    await service.record(number)
    same, shouted = "0 of 1 calls would go elsewhere\n", to.replace(DOMAIN, DOMAIN.upper())
    another, first = to.replace("Desk", "desk"), f"  {number}  "
    for route, shown in (
        (busy_at(shouted, other), same),
        (busy_at(to, mobile), f"  ring {other} -> ring {mobile}\n1 of 1 calls would go elsewhere\n"),
        (busy_at(another, other), f"  ring {to} -> ring {another}\n1 of 1 calls would go elsewhere\n"),
    ):
        found = await replayed(service, edited(service, tmp_path, number, route), number)
        assert found.endswith(shown), found
        assert (first in found) == (shown != same)
    service.forgiven.add("routing_refused")
    await carriers.have()
    refused = await replayed(service, edited(service, tmp_path, number, busy_at(to, other)), number, code=1)
    assert f"{DOMAIN} is not an allowed domain" in refused
    found = await replayed(service, edited(service, tmp_path, number, busy_at(mobile, mobile)), number)
    assert f"  ring {to} -> ring {mobile}\n" in found


def busy_at(to: str, then: str) -> dict[str, Any]:
    return {"ring": {"to": to, "busy": [{"ring": then}]}}


def edited(service: Service, folder: Path, number: str, step: dict[str, Any]) -> Path:
    """A routing folder with this number alone."""
    made = Path(mkdtemp(dir=folder)) / "routing"
    shutil.copytree(service.house.routing, made, ignore=shutil.ignore_patterns("numbers"))
    (made / "numbers").mkdir()
    write_numbers(made / "numbers" / "edited", {number: {"route": [step]}})
    return made


async def replayed(service: Service, folder: Path, number: str, code: int = 0) -> str:
    """What `callengine replay` prints of the calls to this number."""
    settings = str(service.house.state / "callengine.toml")
    words = ["replay", str(folder), "--number", number, "--settings", settings]
    done = await asyncio.to_thread(CliRunner().invoke, main, words)
    assert done.exit_code == code, done.output
    return done.output
