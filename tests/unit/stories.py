"""Calls on a fake line: what was agreed for their number, and what is to be known of them afterwards."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from dialplan.number import Owner
from dialplan.prompt import Prompt
from dialplan.result import Outcome
from engine.call_terms import CallTerms
from journal.entries import StepPerformed
from journal.state import CallState
from tests.unit.fake_dial import Answers, Says
from tests.unit.fake_services import FakeCallServices, attend
from tests.unit.fakes import FakeLine
from tests.unit.routes import service_number

OFFICE, COLLEAGUE, HOME = "+32470111221", "+32470111222", "+32470111223"
PROMPT_SECONDS = 3.0
WELCOME_THEN_OFFICE = [{"announce": "welcome"}, {"ring": OFFICE}]
EVERYBODY = [
    {"announce": "welcome"},
    {"ring": {"to": OFFICE, "busy": [{"announce": "busy"}, {"ring": COLLEAGUE}, {"ring": HOME}]}},
]


def terms_of(route: Sequence[Any], **settings: Any) -> CallTerms:
    """What was agreed for a number with this route; every prompt but `lost` is there."""
    number = service_number(list(route), **settings)
    return CallTerms(number, Owner(name="ACME"), prompt, timedelta(hours=4), routing="d1")


def prompt(name: str) -> Prompt | None:
    return None if name == "lost" else Prompt(name, Path(f"{name}.wav"), PROMPT_SECONDS, "")


def line(hangs_up_after: float | None = None, /, **settings: Any) -> FakeLine:
    """A caller for whom the office is busy, the colleague does not answer, and home answers after 2 s."""
    destinations = {OFFICE: Says(Outcome.BUSY), COLLEAGUE: Says(Outcome.NO_ANSWER, 5), HOME: Answers()}
    return FakeLine(destinations | settings.pop("where", {}), hangs_up_after, **settings)


async def called(caller: FakeLine, terms: CallTerms | None) -> tuple[FakeCallServices, CallState]:
    """The whole call: its journal and its state."""
    services = FakeCallServices(terms)
    return services, await attend(caller, services)


def performed(services: FakeCallServices) -> list[tuple[str, str]]:
    return [(entry.step, entry.outcome.value) for entry in services.of(StepPerformed)]


def end(state: CallState) -> tuple[str, str, int | None]:
    assert state.ending is not None
    return state.ending.outcome, state.ending.ended_by, state.ending.cause


def ended_after(state: CallState) -> timedelta:
    assert state.ending is not None
    return state.ending.at - state.began


def talk(state: CallState) -> timedelta:
    assert state.ending is not None
    assert state.connected is not None
    return state.ending.at - state.connected.at


def outcomes(state: CallState) -> list[tuple[str, str | None]]:
    return [(leg.to, leg.outcome) for leg in state.legs.values()]
