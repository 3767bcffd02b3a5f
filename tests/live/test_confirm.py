"""`confirm` and `whisper`: a voicemail that answers does not take the call, a person who presses 1 does."""

import pytest

from devkit.carrier import Answers
from tests.live.agreed import PROMPTS
from tests.live.conversation import hear_each_other
from tests.live.fragile import Fragile
from tests.live.service import Service, until


async def test_a_voicemail_that_answers_never_takes_the_call_and_a_person_does_by_a_key(
    service: Service,
) -> None:
    voicemail, person = service.destination(Answers(says=(600,))), service.destination(Answers())
    to = [
        {"number": voicemail, "confirm": True},
        {"number": person, "confirm": True, "whisper": "closed"},
    ]
    (number,) = service.house.agree([{"ring": {"to": to, "strategy": "in_order"}}])
    caller = await service.call(number)
    destination = await service.network.picked_up(person)
    await destination.hears(PROMPTS["closed"])
    await destination.hears(PROMPTS["confirm"])
    assert caller.answered is None
    await destination.press("1")
    await hear_each_other(caller, destination)
    await caller.hang_up()
    record = await service.record(number)
    assert [(leg.to, leg.outcome, leg.confirmation) for leg in record.legs] == [
        (voicemail, "no_answer", "no_key"),
        (person, "taken", "key"),
    ]
    first, second = record.legs
    assert first.answered is not None
    assert first.connected is None
    assert (first.cause, first.sip) == (19, 200)
    assert record.connected == second.connected
    assert record.answered is not None
    assert second.answered is not None
    assert record.answered > second.answered
    assert record.delivered_to == person


async def test_a_destination_that_hangs_up_when_it_is_asked_has_not_taken_the_call(service: Service) -> None:
    leaves = service.destination(Answers(hangs_up_after=0.3))
    route = [{"ring": {"to": {"number": leaves, "confirm": True}, "no_answer": [{"hangup": "busy"}]}}]
    (number,) = service.house.agree(route)
    caller = await service.call(number)
    await caller.wait_ended()
    record = await service.record(number)
    assert (record.outcome, record.answered) == ("busy", None)
    assert [(leg.outcome, leg.confirmation) for leg in record.legs] == [("no_answer", "left")]


@pytest.mark.heavy
async def test_a_caller_who_gives_up_while_the_destination_is_asked_pays_nothing(service: Service) -> None:
    there = service.destination(Answers())
    (number,) = service.house.agree([{"ring": {"to": {"number": there, "confirm": True}}}])
    caller = await service.call(number)
    destination = await service.network.picked_up(there)
    await destination.hears(PROMPTS["confirm"])
    await caller.hang_up()
    await until(lambda: destination.ending)
    record = await service.record(number)
    assert (record.outcome, record.answered, record.ended_by) == ("abandoned", None, "caller")
    (leg,) = record.legs
    assert (leg.outcome, leg.connected) == ("no_answer", None)


@pytest.mark.heavy
async def test_it_works_while_no_engine_is_there(service: Service, engine: Fragile) -> None:
    there = service.destination(Answers())
    (number,) = service.house.agree([{"ring": {"to": {"number": there, "confirm": True}}}])
    caller = await service.call(number)
    destination = await service.network.picked_up(there)
    await engine.end()
    await destination.hears(PROMPTS["confirm"])
    await destination.press("1")
    await hear_each_other(caller, destination)
    await caller.hang_up()
    await engine.start()
    record = await service.record(number)
    assert [(leg.outcome, leg.confirmation) for leg in record.legs] == [("taken", "key")]


@pytest.mark.heavy
async def test_a_recorded_call_is_recorded_once_the_destination_has_confirmed(service: Service) -> None:
    there = service.destination(Answers())
    route = [{"ring": {"to": {"number": there, "confirm": True}}}]
    (number,) = service.house.agree(route, record="announce")
    caller = await service.call(number)
    destination = await service.network.picked_up(there)
    await destination.hears(PROMPTS["confirm"])
    await destination.press("1")
    await hear_each_other(caller, destination)
    await caller.hang_up()
    record = await service.record(number)
    assert record.recording_id
    kinds = [entry["kind"] for entry in service.journal(number)]
    assert kinds.index("leg_asked") < kinds.index("informed") < kinds.index("rec_start")
