"""`menu` on real calls: what is heard, what a key does to it, and since when the caller pays."""

from datetime import timedelta

import numpy as np
import pytest

from devkit.audio import RATE, level, levels
from devkit.carrier import Answers
from devkit.handset import PRESENT
from tests.live.agreed import FRENCH_WELCOME, PROMPTS, Route
from tests.live.conversation import Wire, assert_near, hear_each_other
from tests.live.service import Service, until

LONG = PROMPTS["long"]  # 2 s


def menu(to: str, **settings: object) -> Route:
    keys = {"1": [{"announce": "closed"}], "2": [{"ring": to}], "22": [{"menu": INNER}]}
    return [{"menu": {"prompt": "long", "keys": keys, **settings}}, {"announce": "sorry"}]


INNER = {"prompt": "welcome", "keys": {"5": [{"announce": "closed"}]}}


@pytest.mark.parametrize("answer", [True, False])
async def test_the_first_key_ends_the_prompt_and_leads_into_its_branch(
    service: Service, wire: Wire, *, answer: bool
) -> None:
    to = service.destination(Answers())
    (number,) = service.house.agree(menu(to, answer=answer))
    caller = await service.call(number)
    await caller.hears(LONG)
    await caller.press("1")
    await caller.hears(PROMPTS["closed"])
    assert (caller.answered is not None) == answer
    ending = await caller.wait_ended()
    record = await service.record(number)
    if answer:
        assert_near(record.answered, await wire.first(caller, "SIP/2.0 200", "INVITE"))
        assert record.talk > timedelta(0)
    else:
        assert (record.answered, ending.code) == (None, 480)
    assert (record.outcome, record.choices) == ("no_answer", ("1",))
    branch = int(np.argmax(np.array(levels(caller.heard, PROMPTS["closed"])) > PRESENT))
    assert level(caller.heard[branch * RATE // 10 :], LONG) < 0.05, "the prompt went on"


async def test_several_digits_lead_on_and_the_star_leads_back(service: Service) -> None:
    to = service.destination(Answers())
    (number,) = service.house.agree(menu(to, answer=True))
    caller = await service.call(number)
    await caller.hears(LONG)
    await caller.press("22")
    await caller.hears(PROMPTS["welcome"])
    await caller.press("*")
    await caller.hears(LONG)
    await caller.press("2#")
    await hear_each_other(caller, await service.network.picked_up(to))
    await caller.hang_up()
    record = await service.record(number)
    assert (record.outcome, record.choices, record.delivered_to) == ("answered", ("22", "*", "2"), to)


async def test_a_caller_who_presses_nothing_hears_it_again_and_then_the_route_goes_on(
    service: Service,
) -> None:
    (number,) = service.house.agree(menu(service.destination(Answers()), seconds=1, tries=2))
    caller = await service.call(number)
    await caller.hears(PROMPTS["sorry"])
    await caller.wait_ended()
    record = await service.record(number)
    assert (record.outcome, record.choices) == ("no_answer", ("timeout",))
    assert level(caller.heard, LONG) > 0.05


async def test_a_caller_who_leaves_an_answered_menu_has_abandoned_the_call(service: Service) -> None:
    (number,) = service.house.agree(menu(service.destination(Answers()), answer=True))
    caller = await service.call(number)
    await caller.wait_answered()
    await caller.hears(LONG)
    await caller.hang_up()
    record = await service.record(number)
    assert (record.outcome, record.ended_by, record.delivered_to) == ("abandoned", "caller", "")
    assert record.answered is not None
    await until(lambda: not service.errors())


async def test_a_language_that_the_caller_chooses_is_that_of_the_next_prompt(service: Service) -> None:
    route: Route = [
        {"menu": {"prompt": "closed", "languages": {"1": "nl", "2": "fr"}}},
        {"announce": "welcome"},
        {"hangup": "busy"},
    ]
    (number,) = service.house.agree(route)
    caller = await service.call(number)
    await caller.hears(PROMPTS["closed"])
    await caller.press("2")
    await caller.hears(FRENCH_WELCOME)
    await caller.wait_ended()
    record = await service.record(number)
    assert (record.outcome, record.choices) == ("busy", ("2",))
