"""`wait`: some seconds with ringing or music, and the route goes on."""

import pytest

from dialplan.caller import UNKNOWN
from dialplan.rehearse import rehearse
from dialplan.result import Outcome
from journal.entries import StepPerformed
from tests.unit.fake_dial import Answers, now
from tests.unit.fake_services import FakeCallServices, attend, leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.routes import Raw, service_number
from tests.unit.stories import OFFICE, end, ended_after, terms_of
from tests.unit.test_walk import TUESDAY_10

ROUTE: list[Raw] = [{"wait": "10"}, {"wait": {"seconds": "7", "music": "waiting"}}, {"ring": OFFICE}]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's clock is Asterisk's."""
    monkeypatch.setattr("engine.call.now", now)


def test_waiting_is_a_step_and_its_music_is_no_prompt_that_is_heard() -> None:
    number = service_number(ROUTE)
    call = rehearse(number, number.facts(TUESDAY_10, UNKNOWN))
    assert [(step.summary, outcome) for step, outcome in call.steps][:2] == [
        ("10 s, with ringing", Outcome.DONE),
        ("7 s, with waiting", Outcome.DONE),
    ]
    assert call.hears == ()


@pytest.mark.looptime
async def test_the_caller_waits_so_long_and_then_the_route_goes_on() -> None:
    line, services = FakeLine({OFFICE: Answers(2, 60)}), FakeCallServices(terms_of(ROUTE))
    state = await attend(line, services)
    assert line.heard[:3] == ["waits with ringing", "waits with waiting", "ringing"]
    assert state.answered is not None
    assert (state.answered - state.began).total_seconds() == 10 + 7 + 2


@pytest.mark.looptime
async def test_music_that_is_not_there_is_ringing() -> None:
    line = FakeLine()
    await attend(line, FakeCallServices(terms_of([{"wait": {"seconds": "5", "music": "lost"}}])))
    assert line.heard == ["waits with ringing", "hung up: no_answer"]


@pytest.mark.looptime
async def test_a_caller_may_give_up_while_waiting() -> None:
    line, services = FakeLine(hangs_up_after=4), FakeCallServices(terms_of(ROUTE))
    state = await attend(line, services)
    assert (end(state)[0], ended_after(state).total_seconds()) == ("abandoned", 4)
    assert services.of(StepPerformed) == []


@pytest.mark.looptime
async def test_after_a_crash_the_caller_waits_again_and_no_wait_twice_that_was_over() -> None:
    line, services = FakeLine({OFFICE: Answers()}), FakeCallServices(terms_of(ROUTE))
    await leave_after(12, line, services)
    await take_over(line, services)
    assert line.heard[:2] == ["waits with waiting", "ringing"]
