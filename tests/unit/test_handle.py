"""Stories of calls, on a line without a telephone and a clock that jumps."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dialplan.caller import WITHHELD
from dialplan.number import Owner
from dialplan.prompt import Prompt
from dialplan.result import Outcome
from engine.call import Agreement, Call
from engine.handle import handle, resume
from journal.entries import Entry
from journal.state import fold
from storage.records import CallRecord
from tests.unit.fakes import Answers, FakeDesk, FakeLeg, FakeLine, Says, now
from tests.unit.routes import service_number

pytestmark = pytest.mark.looptime

OFFICE, COLLEAGUE, HOME = "+32470111221", "+32470111222", "+32470111223"
PROMPT_SECONDS = 3.0
WELCOME_THEN_OFFICE = [{"announce": "welcome"}, {"ring": OFFICE}]
EVERYBODY = [
    {"announce": "welcome"},
    {"ring": {"to": OFFICE, "busy": [{"announce": "busy"}, {"ring": COLLEAGUE}, {"ring": HOME}]}},
]


def agreement(route: Sequence[Any], **settings: Any) -> Agreement:
    """What was agreed for a number with this route; every prompt but `lost` is there."""
    number = service_number(list(route), **settings)
    return Agreement(number, Owner(name="ACME"), prompt, timedelta(hours=4))


def prompt(name: str) -> Prompt | None:
    return None if name == "lost" else Prompt(name, Path(f"{name}.wav"), PROMPT_SECONDS, "")


def line(hangs_up_after: float | None = None, /, **settings: Any) -> FakeLine:
    """A caller for whom the office is busy, the colleague does not answer, and home answers after 2 s."""
    destinations = {OFFICE: Says(Outcome.BUSY), COLLEAGUE: Says(Outcome.NO_ANSWER, 5), HOME: Answers()}
    return FakeLine(destinations | settings.pop("where", {}), hangs_up_after, **settings)


async def called(caller: FakeLine, agreed: Agreement | None) -> tuple[FakeDesk, CallRecord]:
    """The whole call: its journal and its record."""
    desk = FakeDesk(agreed)
    await handle(caller, desk)
    record = fold(desk.entries)
    assert record is not None
    return desk, record


def performed(desk: FakeDesk) -> list[tuple[str, str]]:
    return [(entry["step"], entry["outcome"]) for entry in desk.entries if entry["kind"] == "step"]


async def test_the_caller_hears_the_prompt_then_it_rings_then_they_talk_until_the_destination_hangs_up() -> (
    None
):
    caller = line(where={OFFICE: Answers(after=2, talks=60)})
    _, record = await called(caller, agreement(WELCOME_THEN_OFFICE))
    assert caller.heard == [
        "welcome",
        "ringing",
        "answered",
        f"talking to {OFFICE}",
        "let go",
        "hung up: answered",
    ]
    assert (record.outcome, record.ended_by, record.cause) == ("answered", "destination", 16)
    assert record.answered is not None
    assert record.answered - record.began == timedelta(seconds=PROMPT_SECONDS + 2)
    assert (record.ring, record.talk) == (timedelta(seconds=2), timedelta(seconds=60))
    assert record.delivered_to == OFFICE


async def test_a_caller_who_hangs_up_while_talking_has_been_answered() -> None:
    _, record = await called(line(15, where={OFFICE: Answers()}), agreement(WELCOME_THEN_OFFICE))
    assert (record.outcome, record.ended_by) == ("answered", "caller")
    assert record.talk == timedelta(seconds=15 - PROMPT_SECONDS - 2)
    assert [leg.outcome for leg in record.legs] == ["taken"]


@pytest.mark.parametrize(
    ("seconds", "heard", "legs"),
    [
        (1, ["welcome"], []),
        (3.5, ["welcome", "ringing", "let go"], ["no_answer"]),
        (5, ["welcome", "ringing", "let go", "busy"], ["busy"]),
        (8, ["welcome", "ringing", "let go", "busy", "ringing", "let go"], ["busy", "no_answer"]),
    ],
)
async def test_a_caller_may_give_up_in_any_step(seconds: float, heard: list[str], legs: list[str]) -> None:
    caller = line(seconds)
    _, record = await called(caller, agreement(EVERYBODY))
    assert caller.heard == heard
    assert (record.outcome, record.ended_by, record.cause) == ("abandoned", "caller", 16)
    assert record.ended == record.began + timedelta(seconds=seconds)
    assert [leg.outcome for leg in record.legs] == legs
    assert record.answered is None


async def test_who_is_busy_leads_into_the_branch_which_is_the_rest_of_the_route() -> None:
    desk, record = await called(line(), agreement([*EVERYBODY, {"announce": "never"}]))
    assert performed(desk) == [
        ("announce", "done"),
        ("ring", "busy"),
        ("announce", "done"),
        ("ring", "no_answer"),
        ("ring", "taken"),
    ]
    assert [(leg.to, leg.outcome) for leg in record.legs] == [
        (OFFICE, "busy"),
        (COLLEAGUE, "no_answer"),
        (HOME, "taken"),
    ]


async def test_of_several_the_first_to_answer_gets_the_call_and_the_others_are_let_go() -> None:
    where = {OFFICE: Answers(after=9), COLLEAGUE: Answers(after=4), HOME: Says(Outcome.BUSY)}
    caller = line(where=where)
    _, record = await called(caller, agreement([{"ring": {"to": [OFFICE, COLLEAGUE, HOME]}}]))
    assert record.delivered_to == COLLEAGUE
    assert {leg.to: leg.outcome for leg in record.legs} == {
        OFFICE: "no_answer",
        COLLEAGUE: "taken",
        HOME: "busy",
    }


async def test_when_nobody_answers_the_caller_is_told_what_came_of_the_last_attempt() -> None:
    caller = line()
    _, record = await called(caller, agreement([{"ring": COLLEAGUE}, {"ring": OFFICE}]))
    assert caller.heard[-1] == "hung up: busy"
    assert (record.outcome, record.ended_by, record.cause) == ("busy", "engine", 17)


async def test_a_route_may_end_the_call_and_say_why() -> None:
    caller = line()
    _, record = await called(caller, agreement([{"announce": "closed"}, {"hangup": "closed"}]))
    assert caller.heard == ["closed", "hung up: closed"]
    assert (record.outcome, record.legs) == ("closed", ())


async def test_outside_the_hours_the_turn_and_its_reason_are_noted() -> None:
    desk, record = await called(line(), agreement([{"hours": "sun 00:00-00:01"}, {"ring": HOME}]))
    assert record.outcome == "closed"
    (turn,) = (entry for entry in desk.entries if entry["kind"] == "turn")
    assert turn["step"] == "hours"
    assert turn["why"]


async def test_a_number_that_is_not_ours_is_turned_away_and_has_a_record_without_an_owner() -> None:
    caller = line()
    _, record = await called(caller, None)
    assert caller.heard == ["no such number"]
    assert (record.outcome, record.owner, record.cause) == ("failed", "", 1)


@pytest.mark.parametrize(("minutes", "longest"), [(1, 240), (240, 1)])
async def test_the_longest_call_ends_by_whichever_limit_is_shorter(minutes: int, longest: int) -> None:
    number = service_number([{"ring": HOME}], max_minutes=minutes)
    agreed = Agreement(number, Owner(name="ACME"), prompt, timedelta(minutes=longest))
    _, record = await called(line(where={HOME: Answers(talks=10_000)}), agreed)
    assert (record.outcome, record.ended_by, record.cause) == ("answered", "limit", 16)
    assert record.talk == timedelta(minutes=1)


async def test_a_step_that_crashes_has_failed_and_the_caller_gets_the_next() -> None:
    caller = line(where={OFFICE: Answers()}, breaks_on="welcome")
    desk, record = await called(caller, agreement(WELCOME_THEN_OFFICE))
    assert performed(desk) == [("announce", "failed"), ("ring", "taken")]
    assert record.outcome == "answered"


async def test_a_prompt_that_is_not_there_is_left_out() -> None:
    caller = line(where={OFFICE: Answers()})
    desk, record = await called(caller, agreement([{"announce": "lost"}, {"ring": OFFICE}]))
    assert performed(desk) == [("announce", "failed"), ("ring", "taken")]
    assert record.outcome == "answered"


class ForgetsSteps(FakeDesk):
    """A desk with a bug."""

    def note(self, entry: Entry) -> Awaitable[None]:
        if entry["kind"] == "step":
            raise ValueError("a bug outside of any step")
        return super().note(entry)


async def test_a_crash_outside_of_any_step_ends_the_call_with_a_goodbye_and_a_record() -> None:
    caller, desk = line(), ForgetsSteps(agreement(WELCOME_THEN_OFFICE))
    await handle(caller, desk)
    record = fold(desk.entries)
    assert caller.heard == ["welcome", "hung up: failed"]
    assert record is not None
    assert (record.outcome, record.ended_by) == ("failed", "engine")


async def test_a_withheld_caller_is_noted_as_such_and_without_a_number() -> None:
    _, record = await called(line(caller=WITHHELD), agreement([{"ring": HOME}]))
    assert (record.caller, record.withheld) == ("", True)


async def test_the_journal_begins_with_the_start_and_ends_with_the_end() -> None:
    desk, _ = await called(line(), agreement(EVERYBODY))
    kinds = [entry["kind"] for entry in desk.entries]
    assert (kinds[0], kinds[-1]) == ("call_start", "call_end")
    assert kinds.count("call_start") == kinds.count("call_end") == 1
    assert {entry["call"] for entry in desk.entries} == {"0199-call"}


@pytest.mark.parametrize("seconds", [1, 3.5, 20], ids=["announcing", "ringing", "talking"])
async def test_a_call_that_is_cancelled_goes_on_without_us(seconds: float) -> None:
    caller, desk = line(where={OFFICE: Answers(after=2)}), FakeDesk(agreement(WELCOME_THEN_OFFICE))
    task = asyncio.create_task(handle(caller, desk))
    await asyncio.sleep(seconds)
    caller.detached = True
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not caller.ended.done()
    assert "let go" not in caller.heard
    assert not {"call_end", "leg_end"} & {entry["kind"] for entry in desk.entries}


PAST = [Outcome.DONE, Outcome.BUSY, Outcome.DONE, Outcome.NO_ANSWER]
STILL_TO_HEAR = ["welcome", "ringing", "busy", "ringing", "ringing"]


@pytest.mark.parametrize("count", range(len(PAST) + 1))
async def test_what_has_been_performed_leads_back_to_the_step_where_the_call_was(count: int) -> None:
    caller, desk = line(), FakeDesk(agreed := agreement(EVERYBODY))
    await resume(Call(caller, agreed, desk), PAST[:count], None)
    heard = [it for it in caller.heard if it in STILL_TO_HEAR]
    assert heard == STILL_TO_HEAR[count:]
    assert performed(desk)[-1] == ("ring", "taken")
    assert len(performed(desk)) == len(STILL_TO_HEAR) - count


async def test_a_conversation_taken_over_is_neither_answered_nor_counted_twice() -> None:
    caller, desk = line(), FakeDesk(agreed := agreement([{"ring": HOME}], max_minutes=1))
    since = now() - timedelta(seconds=50)
    call = Call(caller, agreed, desk, answered=since, spent=timedelta(seconds=50))
    await resume(call, [], FakeLeg("leg", HOME, since, 10_000, caller))
    assert caller.heard == [f"talking to {HOME}", "hung up: answered"]
    (end,) = desk.entries
    assert (end["ended_by"], end["at"]) == ("limit", (since + timedelta(minutes=1)).isoformat())


async def test_a_destination_that_answered_as_the_engine_died_is_answered_now() -> None:
    caller, desk = line(), FakeDesk(agreed := agreement([{"ring": HOME}]))
    call = Call(caller, agreed, desk)
    await resume(call, [], FakeLeg("leg", HOME, now(), 10, caller))
    assert caller.heard == ["answered", f"talking to {HOME}", "hung up: answered"]
    assert [entry["kind"] for entry in desk.entries] == ["answered", "call_end"]
