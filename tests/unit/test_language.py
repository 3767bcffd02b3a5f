"""`menu: languages`: the language that a caller chooses holds for the rest of the call."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dialplan.caller import UNKNOWN
from dialplan.prompt import Prompt
from dialplan.rehearse import rehearse
from dialplan.step import Turn
from journal.entries import CallerNotified, MessageStarted
from tests.unit.fake_dial import Answers
from tests.unit.fake_services import FakeCallServices, attend, leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.routes import service_number
from tests.unit.stories import OFFICE, PROMPT_SECONDS, terms_of
from tests.unit.test_walk import TUESDAY_10

MENU = {"menu": {"prompt": "which", "languages": {"1": "nl", "2": "fr"}, "keys": {"3": [{"hangup": "busy"}]}}}
ROUTE: list[dict[str, Any]] = [MENU, {"announce": "welcome"}, {"voicemail": {}}]


def prompt_in(name: str, language: str) -> Prompt | None:
    """Every prompt is there in French, except `only-ours`."""
    if name == "only-ours":
        return None
    return Prompt(f"{language}/{name}", Path(f"{name}.wav"), PROMPT_SECONDS, "")


def services_of(route: list[dict[str, Any]], **settings: Any) -> FakeCallServices:
    return FakeCallServices(replace(terms_of(route, **settings), prompt_in=prompt_in))


def test_the_route_goes_on_with_the_next_step_and_says_so() -> None:
    number = service_number(ROUTE)
    call = rehearse(number, number.facts(TUESDAY_10, UNKNOWN), presses=["2"])
    assert call.hears == ("which", "welcome", "greeting")
    assert Turn("menu", "from now on in fr", "fr") in call.path
    busy = rehearse(number, number.facts(TUESDAY_10, UNKNOWN), presses=["3"])
    assert (busy.hears, busy.result) == (("which",), "busy")


@pytest.mark.looptime
async def test_prompts_greeting_and_mail_are_in_the_language_chosen() -> None:
    line = FakeLine(presses=[(1, "2")], hangs_up_after=40)
    services = services_of(ROUTE)
    state = await attend(line, services)
    assert line.heard[0] == "which"
    assert "fr/welcome" in line.heard
    assert "fr/greeting" in line.heard
    assert state.language == "fr"
    (message,) = services.of(MessageStarted)
    assert message.deliver["language"] == "fr"


@pytest.mark.looptime
async def test_without_a_choice_they_are_in_the_owners() -> None:
    line = FakeLine(hangs_up_after=60)
    services = services_of(ROUTE)
    await attend(line, services)
    assert "welcome" in line.heard
    assert [message.deliver["language"] for message in services.of(MessageStarted)] == ["en"]


@pytest.mark.looptime
async def test_a_prompt_that_is_not_there_in_that_language_is_played_as_before() -> None:
    line = FakeLine(presses=[(1, "2")])
    await attend(line, services_of([MENU, {"announce": "only-ours"}]))
    assert "only-ours" in line.heard


@pytest.mark.looptime
async def test_a_call_that_is_taken_over_keeps_its_language() -> None:
    line = FakeLine(presses=[(1, "2")])
    services = services_of([MENU, {"wait": "10"}, {"announce": "welcome"}])
    await leave_after(8, line, services)
    state = await take_over(line, services)
    assert "fr/welcome" in line.heard
    assert state.language == "fr"


@pytest.mark.looptime
async def test_the_evidence_of_a_notice_names_the_language_that_was_heard() -> None:
    line = FakeLine({OFFICE: Answers()}, presses=[(1, "2")])
    services = services_of([MENU, {"ring": OFFICE}], record="announce")
    await attend(line, services)
    (notice,) = services.of(CallerNotified)
    assert (notice.language, notice.announcement) == ("fr", "fr/recording-announcement")
