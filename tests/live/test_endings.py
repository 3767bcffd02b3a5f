"""Every way a call can end: what the caller's network is told, what the record says, and nothing is left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from devkit.carrier import Answers, Behaviour, Dead, Refuses, Rings
from devkit.handset import Handset
from devkit.parts import end
from storage.records import CallRecord
from tests.lateness import PATIENCE, late
from tests.live.agreed import PROMPTS, Route, new_destination, new_number
from tests.live.service import DESTINATION_HZ, House, Service, until
from tests.live.sip import SDP, Agent, Call

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
IN_THREE_DAYS = DAYS[(datetime.now(ZoneInfo("Europe/Brussels")).weekday() + 3) % 7]
TO = new_destination()
NEXT = new_destination()

# What a destination refuses with -> outcome of call and leg (the leg of 503 is congested), the leg's Q.850
# cause, the caller's SIP answer.
REFUSALS = {
    302: ("failed", 23, 500),
    403: ("rejected", 21, 403),
    404: ("unreachable", 1, 503),
    410: ("unreachable", 22, 503),
    480: ("no_answer", 19, 480),
    484: ("unreachable", 28, 503),
    486: ("busy", 17, 486),
    488: ("failed", 58, 500),
    500: ("unreachable", 38, 503),
    503: ("unreachable", 34, 503),
    504: ("unreachable", 102, 503),
    600: ("busy", 17, 486),
    603: ("rejected", 21, 403),
}
# A route without a destination -> outcome of the call, its cause, the SIP answer to the caller.
FAREWELLS: dict[str, tuple[Route, str, int, int]] = {
    "hangup: busy": ([{"hangup": "busy"}], "busy", 17, 486),
    "hangup: closed": ([{"hangup": "closed"}], "closed", 19, 480),
    "hangup: no_answer": ([{"hangup": "no_answer"}], "no_answer", 19, 480),
    "hangup: rejected": ([{"hangup": "rejected"}], "rejected", 21, 403),
    "hangup: unreachable": ([{"hangup": "unreachable"}], "unreachable", 34, 503),
    "hangup: failed": ([{"hangup": "failed"}], "failed", 38, 500),
    "hangup after a prompt": ([{"announce": "sorry"}, {"hangup": "busy"}], "busy", 17, 486),
    "closed": ([{"hours": f"{IN_THREE_DAYS} 09:00-17:00"}], "closed", 19, 480),
    "closed, and told so": (
        [{"hours": {"open": f"{IN_THREE_DAYS} 09:00-17:00", "closed": [{"announce": "closed"}]}}],
        "closed",
        19,
        480,
    ),
    "the route ends": ([{"announce": "welcome"}], "no_answer", 19, 480),
}


@dataclass(frozen=True)
class Abandons:
    """A caller who gives up once something has happened."""

    route: Route
    behaves: dict[str, Behaviour]
    once: Callable[[Service, Handset], Awaitable[Any]]
    legs: list[tuple[str, str]]


GIVES_UP = {
    "in a prompt": Abandons(
        [{"announce": "welcome"}, {"ring": TO}],
        {},
        lambda _, caller: caller.hears(PROMPTS["welcome"]),
        [],
    ),
    "before it rings": Abandons(
        [{"ring": TO}],
        {TO: Dead()},
        lambda service, _: service.network.arrival(TO),
        [(TO, "no_answer")],
    ),
    "while it rings": Abandons(
        [{"ring": TO}],
        {TO: Rings()},
        lambda _, caller: caller.wait_ringing(),
        [(TO, "no_answer")],
    ),
    "while two ring": Abandons(
        [{"ring": {"to": [TO, NEXT]}}],
        {TO: Rings(), NEXT: Rings()},
        lambda service, _: asyncio.gather(service.network.arrival(TO), service.network.arrival(NEXT)),
        [(TO, "no_answer"), (NEXT, "no_answer")],
    ),
    "in the branch's prompt": Abandons(
        [{"ring": {"to": TO, "busy": [{"announce": "sorry"}]}}],
        {TO: Refuses(486)},
        lambda _, caller: caller.hears(PROMPTS["sorry"]),
        [(TO, "busy")],
    ),
    "while the next rings": Abandons(
        [{"ring": TO}, {"ring": NEXT}],
        {TO: Refuses(486), NEXT: Rings()},
        lambda service, _: service.network.arrival(NEXT),
        [(TO, "busy"), (NEXT, "no_answer")],
    ),
}


@pytest.fixture(scope="module")
def numbers(house: House) -> dict[object, str]:
    """A service number for each line of the tables above."""
    routes: dict[object, Route] = {
        **{code: [{"ring": TO}] for code in REFUSALS},
        **{name: farewell[0] for name, farewell in FAREWELLS.items()},
        **{name: abandons.route for name, abandons in GIVES_UP.items()},
        **{name: [{"ring": TO}] for name in ("at once", "moment", "late", "soon", "deaf", "limit")},
    }
    return dict(zip(routes, house.agree(*routes.values()), strict=True))


def told(record: CallRecord) -> tuple[str, str, int | None]:
    return record.outcome, record.ended_by, record.cause


@pytest.mark.parametrize("code", REFUSALS)
async def test_what_a_destination_refuses_with_is_told_to_the_caller(
    service: Service, numbers: dict[object, str], code: int
) -> None:
    outcome, cause, told_caller = REFUSALS[code]
    service.network.behave(TO, Refuses(code))
    caller = await service.call(numbers[code])
    assert (await caller.wait_ended()).code == told_caller
    record = await service.record(numbers[code])
    assert (record.outcome, record.ended_by, record.answered) == (outcome, "engine", None)
    of_leg = "congested" if code == 503 else outcome
    assert [(leg.outcome, leg.cause) for leg in record.legs] == [(of_leg, cause)]


@pytest.mark.parametrize("name", FAREWELLS)
async def test_what_a_route_ends_with_is_told_to_the_caller(
    service: Service, numbers: dict[object, str], name: str
) -> None:
    _, outcome, cause, told_caller = FAREWELLS[name]
    caller = await service.call(numbers[name])
    assert (await caller.wait_ended()).code == told_caller
    record = await service.record(numbers[name])
    assert told(record) == (outcome, "engine", cause)
    assert (record.answered, record.legs) == (None, ())


@pytest.mark.parametrize("when", GIVES_UP)
async def test_a_caller_may_give_up(service: Service, numbers: dict[object, str], when: str) -> None:
    abandons = GIVES_UP[when]
    for number, behaviour in abandons.behaves.items():
        service.network.behave(number, behaviour)
    caller = await service.call(numbers[when])
    await abandons.once(service, caller)
    await caller.hang_up()
    record = await service.record(numbers[when])
    assert told(record) == ("abandoned", "caller", 16)
    assert record.answered is None
    assert sorted((leg.to, leg.outcome) for leg in record.legs) == sorted(abandons.legs)
    assert None not in [leg.ended for leg in record.legs]


async def test_a_caller_may_give_up_before_the_engine_has_looked(
    service: Service, numbers: dict[object, str]
) -> None:
    service.network.behave(TO, Rings())
    with Agent() as agent:  # the telephones send no CANCEL before they have heard it ring
        for milliseconds in range(12):
            caller = f"<sip:+324709988{milliseconds:02}@caller.example>"  # ten of one caller were a loop
            call = Call(agent, service.house.run.sip, numbers["at once"], caller).invite()
            agent.expect(lambda message: message.start == "SIP/2.0 100 Trying")
            await asyncio.sleep(milliseconds / 1000)  # one of the moments that are tried
            call.cancel()
    # The first never come to the engine, the last are ringing already.
    await until(service.is_empty)
    ended = [entry for entry in service.journal(numbers["at once"]) if entry["kind"] == "call_end"]
    records = await service.records(numbers["at once"], len(ended))
    assert {told(record) for record in records} == {("abandoned", "caller", 16)}
    assert None not in [leg.ended for record in records for leg in record.legs]


async def test_a_caller_may_hang_up_at_the_very_moment_of_the_answer(
    service: Service, numbers: dict[object, str]
) -> None:
    service.network.behave(TO, Answers(after=0.3))
    await asyncio.gather(*(give_up_at(service, numbers["moment"], 0.26 + n / 100) for n in range(12)))
    records = await service.records(numbers["moment"], 12)
    assert len(records) == 12
    for record in records:
        expected = ("answered", "abandoned")[record.answered is None]
        assert told(record) == (expected, "caller", 16)
        assert [leg.outcome for leg in record.legs] in ([["taken"], ["no_answer"]])
        assert record.legs[0].ended is not None


async def give_up_at(service: Service, number: str, seconds: float) -> None:
    """A caller who hangs up so long after the telephone began to ring, answered or not."""
    caller = await service.call(number)
    await caller.wait_ringing()
    await asyncio.sleep(seconds)  # one of the moments that are tried
    await caller.hang_up()
    await caller.wait_ended()


@pytest.mark.parametrize(("when", "after"), [("soon", 0.0), ("late", 0.3)])
async def test_a_destination_may_hang_up(
    service: Service, numbers: dict[object, str], when: str, after: float
) -> None:
    service.network.behave(TO, Answers(hangs_up_after=after))
    caller = await service.call(numbers[when])
    destination = await service.network.picked_up(TO)
    assert not (await caller.wait_ended()).by_us
    assert (await destination.wait_ended()).by_us
    record = await service.record(numbers[when])
    assert told(record) == ("answered", "destination", 16)
    assert record.talk < timedelta(seconds=after + 0.5) + late()
    assert [leg.outcome for leg in record.legs] == ["taken"]


async def test_an_unknown_number_is_404_and_has_a_record_without_an_owner(service: Service) -> None:
    number = new_number()
    caller = await service.call(number)
    assert (await caller.wait_ended()).code == 404
    record = await service.record(number)
    assert told(record) == ("failed", "engine", 1)
    assert (record.owner, record.legs) == ("", ())


async def test_a_caller_whose_sound_nobody_understands_is_refused_at_the_door(
    service: Service, numbers: dict[object, str]
) -> None:
    with Agent() as agent:
        call = Call(agent, service.house.run.sip, numbers["deaf"])
        g729 = SDP.replace("RTP/AVP 8 101", "RTP/AVP 18").replace("8 PCMA", "18 G729")
        call.say(call.request("INVITE", body=g729.format(port=9)))
        assert call.final() == 488
    assert service.journal(numbers["deaf"]) == []


async def test_who_does_not_answer_in_time_is_hung_up_and_the_silent_are_unreachable(
    service: Service,
) -> None:
    rings, dead, both = (new_destination() for _ in range(3))
    service.network.behave(rings, Rings())
    service.network.behave(dead, Dead())
    service.network.behave(both, Rings())
    routes: list[Route] = [[{"ring": {"to": to, "seconds": 5}}] for to in (rings, dead, [dead, both])]
    numbers = service.house.agree(*routes)
    callers = [await service.call(number) for number in numbers]
    codes = [(await caller.wait_ended()).code for caller in callers]
    records = [await service.record(number) for number in numbers]
    assert codes == [480, 503, 480]
    assert [record.outcome for record in records] == ["no_answer", "unreachable", "no_answer"]
    assert [{leg.to: leg.outcome for leg in record.legs} for record in records] == [
        {rings: "no_answer"},
        {dead: "unreachable"},
        {dead: "unreachable", both: "no_answer"},
    ]
    assert all(timedelta(seconds=4.9) < record.ring < timedelta(seconds=7) + late() for record in records)


@pytest.fixture
async def brief(service: Service) -> AsyncIterator[timedelta]:
    """An engine whose longest call is 3 s."""
    engine, usual = service.house.engine, service.house.engine.environment
    engine.environment = lambda: {**usual(), "CALLENGINE_LIMITS__MAX_CALL_MINUTES": "0.05"}
    for environment in (engine.environment, usual):
        engine.environment = environment
        await end([engine], PATIENCE)
        await engine.start()
        if environment is not usual:
            yield timedelta(seconds=3)


async def test_the_longest_call_ends_for_both(
    service: Service, numbers: dict[object, str], brief: timedelta
) -> None:
    service.network.behave(TO, Answers())
    caller = await service.call(numbers["limit"])
    destination = await service.network.picked_up(TO)
    await caller.hears(DESTINATION_HZ)
    for end_of_it in (caller, destination):
        assert not (await end_of_it.wait_ended()).by_us
    record = await service.record(numbers["limit"])
    assert told(record) == ("answered", "limit", 16)
    assert abs(record.talk - brief) < timedelta(seconds=0.5) + late()
    assert record.ended is not None
    assert record.ended < datetime.now(UTC)
