"""A call to a number that is recorded, on a fake line."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dialplan.number import Owner
from dialplan.prompt import Prompt
from engine.call_terms import CallTerms
from engine.line import Recorder
from journal.entries import CallerNotified
from tests.unit.fake_dial import START, Answers
from tests.unit.fake_services import FakeCallServices
from tests.unit.fakes import FakeLine
from tests.unit.routes import Raw, service_number

OFFICE, COLLEAGUE = "+3221112233", "+3221112244"
ROUTE: list[Raw] = [{"ring": OFFICE}]
AUDIO = "0199-call-rec1"
SECONDS = 3.0
RINGS = 2  # seconds
TALK = SECONDS + RINGS + SECONDS  # begins, when caller and destination have heard it
TALKING = [f"recording as {AUDIO}", "answered", f"talking to {OFFICE}"]


def prompt(name: str) -> Prompt:
    return Prompt(name, Path(f"{name}.wav"), SECONDS, f"sha256 of {name}")


def services_of(
    record: str = "announce", route: list[Raw] = ROUTE, *, full: str | None = None, **settings: Any
) -> FakeCallServices:
    owner = Owner.model_validate({"name": "ACME", "language": "nl", **settings})
    return FakeCallServices(CallTerms(service_number(route, record=record), owner, prompt), full=full)


def without_prompt(services: FakeCallServices, missing: str) -> FakeCallServices:
    """The same services, where the prompt of this name cannot be read."""
    terms = services.call_terms
    assert terms is not None
    services.call_terms = replace(terms, prompt=lambda name: None if name == missing else prompt(name))
    return services


def line_of(talks: float = 60, leaves: float | None = None, **settings: Any) -> FakeLine:
    return FakeLine({OFFICE: Answers(after=RINGS, talks=talks, leaves=leaves)}, **settings)


def notice_in(services: FakeCallServices) -> CallerNotified:
    (notice,) = services.of(CallerNotified)
    return notice


def given(line: FakeLine) -> Recorder | None:
    """The recorder of the only ring."""
    (connect,) = line.handed_over
    return connect.recorder


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)
