"""Destinations that ring apart from each other: later than the others, or asked to press 1 beside them."""

from datetime import timedelta
from typing import Any

import pytest

from devkit.carrier import Answers, Refuses, Rings
from devkit.phones import WITHHELD, shown
from storage.records import CallRecord
from tests.lateness import late
from tests.live.agreed import PROMPTS, new_caller
from tests.live.ari import ask
from tests.live.conversation import hear_each_other, in_conversation
from tests.live.fragile import Fragile
from tests.live.recordings import of_kind
from tests.live.service import Service, until


def legs_of(record: CallRecord) -> set[tuple[str, str, str]]:
    return {(leg.to, str(leg.outcome), leg.confirmation) for leg in record.legs}


def asked(number: str, **settings: Any) -> dict[str, Any]:
    return {"number": number, "confirm": True, **settings}


async def test_the_first_that_presses_1_gets_the_call_and_the_others_ring_until_then(
    service: Service,
) -> None:
    voicemail, person = service.destination(Answers(after=0)), service.destination(Answers(after=0.5))
    desk = service.destination(Rings())
    route = [{"ring": {"to": [asked(voicemail), asked(person), asked(desk)]}}]
    (number,) = service.house.agree(route)
    caller = await service.call(number)
    greeting = await service.network.picked_up(voicemail)
    destination = await service.network.picked_up(person)
    await greeting.hears(PROMPTS["confirm"])
    await destination.hears(PROMPTS["confirm"])
    ringing = await service.network.arrival(desk)
    assert (caller.answered, ringing.cancelled) == (None, None)
    await destination.press("1")
    await hear_each_other(caller, destination)
    await service.cancelled(desk)
    await until(lambda: greeting.ending)
    await destination.hang_up()
    record = await service.record(number)
    assert legs_of(record) == {
        (voicemail, "no_answer", ""),
        (person, "taken", "key"),
        (desk, "no_answer", ""),
    }
    assert (record.outcome, record.delivered_to, record.ended_by) == ("answered", person, "destination")
    assert all(leg.ringing for leg in record.legs), record.legs
    taken = next(leg for leg in record.legs if leg.to == person)
    assert record.answered is not None
    assert taken.answered is not None
    assert taken.answered < record.answered
    assert record.connected == taken.connected


async def test_where_only_voicemails_answer_the_route_goes_on(service: Service) -> None:
    first, second = service.destination(Answers(after=0)), service.destination(Answers(hangs_up_after=0.5))
    route = [{"ring": {"to": [asked(first), asked(second)], "no_answer": [{"hangup": "busy"}]}}]
    (number,) = service.house.agree(route)
    caller = await service.call(number)
    await caller.wait_ended(30)
    record = await service.record(number)
    assert (record.outcome, record.answered) == ("busy", None)
    assert legs_of(record) == {(first, "no_answer", "no_key"), (second, "no_answer", "left")}


async def test_a_destination_with_a_delay_rings_later_and_takes_the_call(service: Service) -> None:
    desk, mobile = service.destination(Rings()), service.destination(Answers())
    (number,) = service.house.agree([{"ring": {"to": [{"number": mobile, "delay": 2}, desk]}}])
    caller = await service.call(number)
    first, second = await service.network.arrival(desk), await service.network.arrival(mobile)
    apart = second.at - first.at
    assert timedelta(seconds=1.8) < apart < timedelta(seconds=2.2) + late()
    await hear_each_other(caller, await service.network.picked_up(mobile))
    await service.cancelled(desk)
    await caller.hang_up()
    record = await service.record(number)
    assert legs_of(record) == {(desk, "no_answer", ""), (mobile, "taken", "")}
    assert (record.outcome, record.ended_by) == ("answered", "caller")


async def test_a_destination_with_a_delay_is_left_alone_once_another_takes_the_call(service: Service) -> None:
    desk, mobile = service.destination(Answers()), service.destination(Answers())
    (number,) = service.house.agree([{"ring": {"to": [desk, {"number": mobile, "delay": 5}]}}])
    caller, destination = await in_conversation(service, number, desk)
    await destination.hang_up()
    await caller.wait_ended()
    record = await service.record(number)
    assert legs_of(record) == {(desk, "taken", "")}
    assert [arrival.number for arrival in service.network.arrivals] == [desk]


async def test_each_destination_that_rings_apart_has_an_outcome_of_its_own(service: Service) -> None:
    gone, busy = service.destination(Refuses(404)), service.destination(Refuses(486, after=0.3))
    route = [{"ring": {"to": [gone, {"number": busy, "delay": 1}], "busy": [{"announce": "sorry"}]}}]
    (number,) = service.house.agree(route)
    caller = await service.call(number)
    await caller.hears(PROMPTS["sorry"])
    await caller.wait_ended()
    record = await service.record(number)
    assert [(leg.to, leg.outcome, leg.cause, leg.sip) for leg in record.legs] == [
        (gone, "unreachable", 1, 404),
        (busy, "busy", 17, 486),
    ]


async def test_a_caller_who_gives_up_ends_all_that_rings_apart(service: Service) -> None:
    desk, mobile = service.destination(Rings()), service.destination(Answers())
    (number,) = service.house.agree([{"ring": {"to": [desk, asked(mobile)]}}])
    caller = await service.call(number)
    answered = await service.network.picked_up(mobile)
    await answered.hears(PROMPTS["confirm"])
    await caller.hang_up()
    await service.cancelled(desk)
    await until(lambda: answered.ending)
    record = await service.record(number)
    assert (record.outcome, record.answered, record.ended_by) == ("abandoned", None, "caller")
    assert {(leg.to, leg.outcome) for leg in record.legs} == {(desk, "no_answer"), (mobile, "no_answer")}


@pytest.mark.parametrize("way", ["asserted and private", "real From and private", "anonymous From"])
async def test_a_withheld_caller_is_withheld_from_all_that_ring_apart(service: Service, way: str) -> None:
    desk, mobile = service.destination(Rings()), service.destination(Rings())
    ring = {"to": [desk, {"number": mobile, "delay": 1, "present": "service_number"}]}
    (number,) = service.house.agree([{"ring": ring}])
    hidden = new_caller()
    caller = await service.call(number, WITHHELD[way](hidden))
    first, second = [(await service.network.arrival(to)).invite for to in (desk, mobile)]
    assert "anonymous" in first.one("from").lower()
    assert number in second.one("from")
    await caller.hang_up()
    assert (await service.record(number)).withheld
    assert service.network.wire
    assert not [text for text in service.network.wire if hidden.removeprefix("+") in text]


async def test_each_that_rings_apart_is_shown_what_it_is_to_be_shown(service: Service) -> None:
    desk, mobile = service.destination(Rings()), service.destination(Rings())
    ring = {"to": [desk, {"number": mobile, "delay": 1, "present": "service_number"}]}
    (number,) = service.house.agree([{"ring": ring}])
    caller = await service.call(number, shown(who := new_caller()))
    first, second = [(await service.network.arrival(to)).invite for to in (desk, mobile)]
    assert who in first.one("from")
    assert number in second.one("from")
    await caller.hang_up()
    await service.record(number)


@pytest.mark.heavy
async def test_what_rings_apart_needs_no_engine(service: Service, engine: Fragile) -> None:
    desk, mobile = service.destination(Rings()), service.destination(Answers())
    (number,) = service.house.agree([{"ring": {"to": [desk, asked(mobile, delay=1)]}}])
    caller = await service.call(number)
    await service.network.arrival(desk)
    await engine.end()
    destination = await service.network.picked_up(mobile)
    await destination.hears(PROMPTS["confirm"])
    await destination.press("1")
    await hear_each_other(caller, destination)
    await engine.start()
    await caller.hang_up()
    record = await service.record(number)
    assert legs_of(record) == {(desk, "no_answer", ""), (mobile, "taken", "key")}
    assert (record.outcome, record.delivered_to, record.ended_by) == ("answered", mobile, "caller")


@pytest.mark.heavy
async def test_a_call_that_rang_apart_is_recorded_and_may_be_paused(service: Service) -> None:
    desk, mobile = service.destination(Answers()), service.destination(Rings())
    route = [{"ring": {"to": [asked(desk), mobile]}}]
    (number,) = service.house.agree(route, record="announce")
    caller = await service.call(number)
    destination = await service.network.picked_up(desk)
    await destination.hears(PROMPTS["confirm"])
    await destination.press("1")
    await hear_each_other(caller, destination)
    await destination.press("*1")
    await until(lambda: of_kind(service, number, "rec_pause"))
    await destination.press("*1")
    await until(lambda: of_kind(service, number, "rec_resume"))
    await hear_each_other(caller, destination)
    await caller.hang_up()
    record = await service.record(number)
    assert record.recording_id
    kinds = [entry["kind"] for entry in service.journal(number)]
    assert kinds.index("leg_asked") < kinds.index("informed") < kinds.index("rec_start")
    await until(lambda: of_kind(service, number, "rec_end"))


async def test_nothing_of_two_dials_is_left_in_a_conversation(service: Service) -> None:
    desk, mobile = service.destination(Answers()), service.destination(Rings())
    (number,) = service.house.agree([{"ring": {"to": [asked(desk), mobile]}}])
    caller = await service.call(number)
    destination = await service.network.picked_up(desk)
    await destination.hears(PROMPTS["confirm"])
    await destination.press("1")
    await hear_each_other(caller, destination)
    await until(lambda: len(ask(service.house.endpoint, "/channels")) == 2)
    await caller.hang_up()
    await service.record(number)
