"""Taking a message: what the route says, what the caller hears, what the journal is told of it."""

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from dialplan.caller import UNKNOWN
from dialplan.delivery import Delivery
from dialplan.number import Owner
from dialplan.prompt import Prompt
from dialplan.result import Outcome, Result, Verdict
from dialplan.steps.voicemail import Voicemail
from engine.call_services import log_entry
from engine.call_terms import CallTerms
from engine.line import How, Recorded
from journal.entries import (
    Answered,
    CallEnded,
    CallStarted,
    Entry,
    MessageEnded,
    MessageStarted,
    StepPerformed,
    Turned,
)
from tests.unit.fake_dial import START
from tests.unit.fake_services import FakeCallServices, attend, leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.routes import Raw, service_number

pytestmark = pytest.mark.looptime

ROUTE: list[Raw] = [{"voicemail": {"greeting": "closed", "seconds": "60"}}]
AUDIO = "0199-call-vm1"


def owner(**settings: Any) -> Owner:
    return Owner.model_validate({"name": "ACME", "language": "nl", "mail": "office@acme.example", **settings})


def services_of(
    route: list[Raw] = ROUTE, *, full: str | None = None, beep: float = 0.0, **settings: Any
) -> FakeCallServices:
    """Every prompt takes two seconds but the beep, which takes none."""
    seconds = {"beep": beep}

    def prompt(name: str) -> Prompt:
        return Prompt(name, Path(f"{name}.wav"), seconds.get(name, 2.0), "")

    return FakeCallServices(
        CallTerms(service_number(route, label="Shop"), owner(**settings), prompt), full=full
    )


def told[E: Entry](services: FakeCallServices, kind: type[E]) -> E:
    (entry,) = services.of(kind)
    return entry


def kinds(services: FakeCallServices) -> list[str]:
    """Without what CEL says, which comes by itself."""
    return [kind for kind in services.kinds if kind != "CallerLeft"]


def end(services: FakeCallServices) -> tuple[str, str]:
    ended = told(services, CallEnded)
    return ended.outcome, ended.ended_by


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# What the route says.


@pytest.mark.parametrize(
    ("outcome", "result"), [(Outcome.DONE, Result.VOICEMAIL), (Outcome.FAILED, Result.FAILED)]
)
def test_a_message_taken_or_not_is_the_end_of_the_route(outcome: Outcome, result: Result) -> None:
    number = service_number([*ROUTE, {"announce": "never-heard"}])
    plan = number.plan(number.facts(START, UNKNOWN))
    assert next(plan) == number.route[0]
    with pytest.raises(StopIteration) as over:
        plan.send(outcome)
    assert over.value.value == Verdict(result, final=True)


def test_without_a_greeting_the_usual_one_is_heard() -> None:
    (step,) = service_number([{"voicemail": {}}]).route
    assert isinstance(step, Voicemail)
    assert (step.prompt, step.seconds, step.silence) == ("greeting", 180, 5)


def test_a_delivery_is_what_was_agreed_when_the_call_came_in() -> None:
    terms = owner(mail_then="boss@acme.example", audio="opus", require_tls="true")
    delivery = service_number(ROUTE, label="Shop").delivery(terms)
    assert delivery == Delivery(
        to=("office@acme.example",),
        then="boss@acme.example",
        language="nl",
        audio="opus",
        zone="Europe/Brussels",
        require_tls=True,
        label="Shop",
    )
    assert Delivery.from_json(delivery.as_json()) == delivery


# What the caller hears.


async def test_a_caller_is_answered_greeted_and_recorded_and_hangs_up() -> None:
    line, services = FakeLine(), services_of()
    state = await attend(line, services)
    assert line.heard == ["answered", "closed", "beep", f"recorded as {AUDIO}, at most 60 s"]
    assert kinds(services) == ["CallStarted", "Answered", "MessageStarted", "MessageEnded", "CallEnded"]
    assert told(services, Answered) == Answered(line.call_id, after(0), "voicemail")
    assert (told(services, MessageStarted).audio, told(services, MessageStarted).at) == (AUDIO, after(2))
    assert told(services, MessageEnded) == MessageEnded(line.call_id, after(8), AUDIO, "hangup")
    assert end(services) == ("voicemail", "caller")
    assert (state.answered, state.connected) == (after(0), None)
    assert told(services, CallEnded).at == after(8)


@pytest.mark.parametrize("how", [How.KEY, How.SILENCE, How.LIMIT])
async def test_whatever_ends_the_message_the_caller_is_told_goodbye(how: How) -> None:
    line, services = FakeLine(message=(how, 30)), services_of()
    await attend(line, services)
    assert line.heard[-2:] == ["goodbye", "hung up: voicemail"]
    assert told(services, MessageEnded).how == how
    assert end(services) == ("voicemail", "engine")
    assert told(services, StepPerformed).outcome == "done"


async def test_who_hangs_up_in_the_greeting_has_reached_the_voicemail_and_left_no_message() -> None:
    line, services = FakeLine(hangs_up_after=1), services_of()
    await attend(line, services)
    assert line.heard == ["answered", "closed"]
    assert kinds(services) == ["CallStarted", "Answered", "CallEnded"]
    assert end(services) == ("voicemail", "caller")


async def test_a_greeting_that_cannot_be_played_costs_no_message() -> None:
    line, services = FakeLine(unplayable=frozenset({"closed", "beep"})), services_of()
    await attend(line, services)
    assert told(services, MessageEnded).how == "hangup"
    assert end(services) == ("voicemail", "caller")


async def test_who_cannot_leave_a_message_is_told_so_and_is_not_answered() -> None:
    line, services = FakeLine(), services_of(full="0.4 GB are free")
    await attend(line, services)
    assert line.heard == ["mailbox-full", "hung up: failed"]
    assert kinds(services) == ["CallStarted", "Turned", "StepPerformed", "CallEnded"]
    assert told(services, Turned).why == "no message taken: 0.4 GB are free"


async def test_who_could_not_be_recorded_is_told_so() -> None:
    line, services = FakeLine(message=(How.FAILED, 0)), services_of()
    await attend(line, services)
    assert line.heard[-2:] == ["mailbox-full", "hung up: failed"]
    assert told(services, MessageEnded).how == "failed"


async def test_a_message_is_not_lost_with_the_asterisk_it_was_spoken_to() -> None:
    line, services = FakeLine(message=(How.LIMIT, 60), hangs_up_after=5, lost=True), services_of()
    await attend(line, services)
    assert kinds(services) == ["CallStarted", "Answered", "MessageStarted", "MessageEnded", "CallEnded"]
    assert end(services) == ("voicemail", "lost")


async def test_of_a_caller_who_hangs_up_during_the_beep_there_is_no_audio_to_wait_for() -> None:
    line, services = FakeLine(hangs_up_after=2.5), services_of(beep=1.0)
    await attend(line, services)
    assert told(services, MessageStarted).at == after(3)
    assert told(services, MessageEnded) == MessageEnded(line.call_id, after(2.5), AUDIO, "failed")


# What the journal is told.


async def test_the_message_begins_on_the_disk_before_it_is_recorded() -> None:
    seen: list[str] = []

    class Watched(FakeLine):
        async def record(self, *args: Any, **more: Any) -> Recorded:
            seen.extend(kinds(services))
            return await super().record(*args, **more)

    services = services_of()
    await attend(Watched(), services)
    assert seen == ["CallStarted", "Answered", "MessageStarted"]


async def test_the_start_of_the_call_is_on_the_disk_before_the_caller_is_answered() -> None:
    class Slow(FakeCallServices):
        def append(self, entry: Entry) -> Awaitable[None]:
            noted = super().append(entry)
            return asyncio.sleep(9) if isinstance(entry, CallStarted) else noted

    services = Slow(services_of().call_terms)
    await attend(FakeLine(), services)
    assert told(services, Answered).at == after(9)


async def test_the_message_carries_where_it_is_to_go() -> None:
    services = services_of()
    await attend(FakeLine(), services)
    delivery = Delivery.from_json(dict(told(services, MessageStarted).deliver))
    assert (delivery.to, delivery.label, delivery.zone) == (
        ("office@acme.example",),
        "Shop",
        "Europe/Brussels",
    )


@pytest.mark.parametrize(("missed_calls", "carried"), [("off", False), ("mail", True)])
async def test_a_call_carries_where_it_is_told_of_if_missed_when_the_owner_wants_that(
    missed_calls: str, carried: bool
) -> None:
    services = services_of(missed_calls=missed_calls)
    await attend(FakeLine(hangs_up_after=1), services)
    missed = told(services, CallStarted).missed
    assert (missed is not None) == carried
    if missed is not None:
        assert Delivery.from_json(dict(missed)).to == ("office@acme.example",)


async def test_neither_the_caller_nor_an_address_gets_into_the_log() -> None:
    services = services_of(missed_calls="mail")
    await attend(FakeLine(), services)
    with capture_logs() as lines:
        for entry in services.entries:
            log_entry(entry)
    assert lines
    assert "acme.example" not in str(lines)
    assert str(FakeLine().caller.number) not in str(lines)


# What the next engine does with a call that this one left.


async def left_in_a_message(line: FakeLine) -> FakeCallServices:
    """The journal of an engine that was killed while it recorded a message."""
    services = services_of()
    await leave_after(3, line, services)
    assert kinds(services) == ["CallStarted", "Answered", "MessageStarted"]
    return services


async def test_a_recording_that_goes_on_is_waited_for() -> None:
    line = FakeLine(left_by_another=Recorded(How.SILENCE, START))
    services = await left_in_a_message(line)
    await take_over(line, services)
    assert line.heard == [f"looked for {AUDIO}", "goodbye", "hung up: voicemail"]
    assert kinds(services)[3:] == ["MessageEnded", "StepPerformed", "CallEnded"]
    assert told(services, MessageEnded).how == "silence"


async def test_a_recording_that_was_never_begun_begins_after_another_beep() -> None:
    line = FakeLine()
    services = await left_in_a_message(line)
    await take_over(line, services)
    assert line.heard == [f"looked for {AUDIO}", "beep", f"recorded as {AUDIO}, at most 60 s"]
    assert kinds(services)[3:] == ["MessageEnded", "CallEnded"]


async def test_a_greeting_that_was_cut_short_is_heard_again_and_the_caller_is_answered_once() -> None:
    line, services = FakeLine(), services_of()
    await leave_after(1, line, services)
    await take_over(line, services)
    assert line.heard == ["closed", "beep", f"recorded as {AUDIO}, at most 60 s"]
    assert kinds(services) == ["CallStarted", "Answered", "MessageStarted", "MessageEnded", "CallEnded"]
    assert told(services, Answered).at == after(0)


async def test_after_a_message_that_had_ended_there_is_only_goodbye_to_say() -> None:
    line = FakeLine()
    services = await left_in_a_message(line)
    services.append(MessageEnded(line.call_id, after(9), AUDIO, "key"))
    await take_over(line, services)
    assert line.heard == ["goodbye", "hung up: voicemail"]
    assert told(services, MessageEnded).at == after(9)


async def test_where_no_message_can_be_taken_by_now_one_that_was_begun_is_still_taken() -> None:
    line = FakeLine(left_by_another=Recorded(How.KEY, START))
    services = await left_in_a_message(line)
    services.full = "0.4 GB are free"
    await take_over(line, services)
    assert line.heard[-2:] == ["goodbye", "hung up: voicemail"]
