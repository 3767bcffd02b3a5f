"""Calls that go round, and calls that nobody is behind: few lines are theirs, and others are served."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from devkit.asterisk import Asterisk, Options, start_asterisk
from devkit.carrier import Answers, Rings
from devkit.handset import Handset
from devkit.phones import shown
from tests.live.agreed import new_caller
from tests.live.ari import ask
from tests.live.conftest import write_fallbacks
from tests.live.followed import Json
from tests.live.service import Service, until
from tests.live.sip import Agent, Call, Ringing, eventually
from tests.tiers import heavy

NUMBER, FALLBACK = "+3270012345", "+3221112233"
OTHER, OTHER_FALLBACK = "+3270054321", "+3221114455"
ROUNDS = 20  # more than any loop may have
CAP = 20  # 18 of them to numbers with more than two calls


@pytest.fixture
def caller() -> Iterator[Agent]:
    with Agent() as agent:
        yield agent


@pytest.fixture
def small(tmp_path: Path, carrier: Agent) -> Iterator[Asterisk]:
    """An Asterisk of few lines, without an engine; two numbers have a fallback."""
    with start_asterisk(tmp_path, Options(carrier.address, cap=CAP)) as it:
        it.wait_until_ready()
        write_fallbacks(it, {NUMBER[1:]: FALLBACK, OTHER[1:]: OTHER_FALLBACK})
        carrier.forget()
        yield it


def serves(asterisk: Asterisk, caller: Agent, carrier: Agent, who: str) -> None:
    """An honest call to the other number rings at once, and is talked in."""
    call = Call(caller, asterisk.endpoint.sip, OTHER, caller=f"<sip:{who}@caller.example>").invite()
    leg = Ringing.wait(carrier, asterisk.endpoint.sip, OTHER_FALLBACK)
    leg.pick_up()
    assert call.final() == 200
    call.hang_up()
    leg.gone()


async def test_a_destination_that_forwards_to_the_number_again_is_rung_ten_times(service: Service) -> None:
    to, who = service.destination(Rings()), shown(new_caller())
    answers = service.destination(Answers())
    number, other = service.house.agree([{"ring": to}], [{"ring": answers}])
    refused_before = service.house.metric('calls_refused_total{why="loop"}')
    calls = [await service.call(number, who)]
    while len(calls) <= ROUNDS and await rung(service, to, calls):
        calls.append(await service.call(number, who))
    assert len(calls) == 11
    assert (await calls[-1].wait_ended()).code == 486
    honest = await service.call(other)
    await (await service.network.picked_up(answers)).hears(1000)
    await honest.hang_up()
    for call in calls[:-1]:
        await call.hang_up()
    records = await service.records(number, 11)
    refused = [it for it in records if it.outcome == "rejected"]
    assert sorted(it.outcome for it in records) == ["abandoned"] * 10 + ["rejected"]
    assert [(it.ended_by, it.cause, len(it.legs)) for it in refused] == [("engine", 17, 0)]
    await until(lambda: service.house.metric('calls_refused_total{why="loop"}') == refused_before + 1)
    await until(lambda: refusals(service))
    assert [(line["number"], line["why"]) for line in refusals(service)] == [(number, "loop")]


def refusals(service: Service) -> list[Json]:
    """What the engine has logged of calls that it refused."""
    return [line for line in service.house.log()[service.began_at :] if line["event"] == "call_refused"]


async def rung(service: Service, to: str, calls: Sequence[Handset]) -> bool:
    """Whether that destination was rung by each of the calls; the last one is refused if not."""

    def arrived() -> bool:
        return sum(arrival.number == to for arrival in service.network.arrivals) == len(calls)

    await until(lambda: arrived() or calls[-1].ending)
    return arrived()


async def test_a_company_that_shows_one_number_may_talk_as_often_as_it_likes(service: Service) -> None:
    who = shown(new_caller())
    number, to = service.ringing(Answers(after=0))
    talks: list[Handset] = []
    for n in range(1, 13):
        talks.append(await service.call(number, who))
        await (await service.network.picked_up(to, n)).hears(1000)
    for caller in talks:
        await caller.hang_up()
    assert {record.outcome for record in await service.records(number, 12)} == {"answered"}


@pytest.mark.parametrize("formats", [("+3270012345",), ("+3270012345", "003270012345", "3270012345")])
def test_without_an_engine_the_fallback_that_forwards_is_dialled_ten_times(
    small: Asterisk, caller: Agent, carrier: Agent, formats: tuple[str, ...]
) -> None:
    calls: list[Call] = []
    legs: list[Ringing] = []
    for n in range(ROUNDS):
        calls.append(Call(caller, small.endpoint.sip, formats[n % len(formats)]).invite())
        if not rings_on(caller, carrier, len(legs) + 1):
            break
        legs.append(Ringing.wait(carrier, small.endpoint.sip, FALLBACK))
    assert len(legs) == 10
    assert calls[-1].final() == 486
    serves(small, caller, carrier, "+3225000001")
    for leg in legs:
        leg.refuse(486)
    assert [call.final() for call in calls[:-1]] == [486] * 10


def test_a_loop_of_withheld_calls_is_known_by_their_having_been_forwarded(
    small: Asterisk, caller: Agent, carrier: Agent
) -> None:
    headers = ["Privacy: id"]
    calls: list[Call] = []
    legs: list[Ringing] = []
    for _ in range(ROUNDS):
        calls.append(Call(caller, small.endpoint.sip, NUMBER, headers=headers).invite())
        headers = ["Privacy: id", "Diversion: <sip:+3221112233@carrier.example>;reason=unconditional"]
        if not rings_on(caller, carrier, len(legs) + 1):
            break
        legs.append(Ringing.wait(carrier, small.endpoint.sip, FALLBACK))
    assert len(legs) == 4
    assert calls[-1].final() == 486
    for leg in legs:
        leg.refuse(486)


def rings_on(caller: Agent, carrier: Agent, count: int) -> bool:
    """Whether the fallback was rung for so many calls; the last one is refused if not."""

    def is_decided() -> bool:
        carrier.listen(0.01)
        caller.listen(0.01)
        return rings_at(carrier, count) or refused(caller) > 0

    assert eventually(is_decided)
    return rings_at(carrier, count)


def refused(caller: Agent) -> int:
    return sum(it.start.split()[1] in ("486", "503") for it in caller.heard)


def rings_at(carrier: Agent, count: int) -> bool:
    return sum(it.method == "INVITE" and it.number == FALLBACK for it in carrier.heard) >= count


@pytest.mark.parametrize(("times", "heard"), [(5, 404), (6, 486)])
def test_a_call_that_was_forwarded_six_times_goes_no_further(
    small: Asterisk, caller: Agent, carrier: Agent, times: int, heard: int
) -> None:
    headers = ["Diversion: <sip:+3221110000@carrier.example>;reason=unconditional"] * times
    call = Call(caller, small.endpoint.sip, NUMBER, headers=headers).invite()
    if heard == 404:
        Ringing.wait(carrier, small.endpoint.sip, FALLBACK).refuse(404)
    assert call.final() == heard


def test_a_flood_of_calls_that_nobody_is_behind_leaves_lines_to_other_numbers(
    small: Asterisk, caller: Agent, carrier: Agent
) -> None:
    for n in range(3 * CAP):
        Call(caller, small.endpoint.sip, NUMBER, caller=f"<sip:+3225{n:06d}@caller.example>").invite()
    # 503 while those that are refused still count among the trunk's lines.
    assert eventually(lambda: (caller.listen(0.02), refused(caller))[1] == 3 * CAP - CAP * 9 // 10)
    serves(small, caller, carrier, "+3225900000")
    assert len([it for it in ask(small.endpoint, "/channels") if "/from" in it["name"]]) == CAP * 9 // 10
    seen = (small.endpoint.cel).read_text()
    assert f"dialled={NUMBER} why=number" in seen


def test_floods_of_two_numbers_at_once_leave_lines_to_the_others(
    small: Asterisk, caller: Agent, carrier: Agent
) -> None:
    flooded, fallbacks = (NUMBER, "+3270098765"), (FALLBACK, "+3221115566")
    table = dict(zip((it[1:] for it in flooded), fallbacks, strict=True))
    write_fallbacks(small, table | {OTHER[1:]: OTHER_FALLBACK})
    for n in range(3 * CAP):
        number = flooded[n % 2]
        Call(caller, small.endpoint.sip, number, caller=f"<sip:+3225{n:06d}@caller.example>").invite()
    assert eventually(lambda: (caller.listen(0.02), refused(caller))[1] == 3 * CAP - CAP * 9 // 10)
    serves(small, caller, carrier, "+3225900000")
    assert len([it for it in ask(small.endpoint, "/channels") if "/from" in it["name"]]) == CAP * 9 // 10


@heavy
def test_a_caller_who_never_acknowledges_the_answer_is_hung_up_after_half_a_minute(
    small: Asterisk, caller: Agent, carrier: Agent
) -> None:
    Call(caller, small.endpoint.sip, NUMBER).invite()
    leg = Ringing.wait(carrier, small.endpoint.sip, FALLBACK)
    leg.pick_up()
    bye = carrier.expect(lambda it: it.method == "BYE", seconds=50)  # by default 64 s
    carrier.send(bye.reply(200), small.endpoint.sip)
    assert eventually(lambda: ask(small.endpoint, "/channels") == [])
