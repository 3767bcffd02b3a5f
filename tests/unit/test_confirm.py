"""`confirm` and `whisper`: what a destination hears and is asked before it talks with the caller."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.past_call import explained
from dialplan.caller import Caller, Presentation
from dialplan.destination import Destination
from dialplan.number import Owner
from dialplan.prompt import CONFIRM, Prompt
from dialplan.result import Outcome, Result
from dialplan.routing import Routing
from engine.ari.connect import as_extension, variables
from engine.ari.ledger import entries_of
from engine.line import Connect, Recorder
from journal.codec import decode, encode
from journal.entries import LegAsked, LegEnded
from tests.unit.cel_events import (
    CALL,
    LEG,
    LEG_ONE,
    OFFICE,
    ONE,
    after,
    at,
    back,
    event,
    hangup,
    outcome,
    started,
)
from tests.unit.fake_dial import Answers
from tests.unit.fake_services import FakeCallServices, attend
from tests.unit.fakes import FakeLine
from tests.unit.routes import service_number
from tests.unit.stories import terms_of
from tests.unit.test_past_call import A, leg, past

MOBILE, DESK = "+32470111222", "+3221112233"
WHISPER = Prompt("for-sales", Path("/published/aa-2.wav"), 2.0, "aa")
QUESTION = Prompt(CONFIRM, Path("/published/bb-2.wav"), 2.0, "bb")
RECORDER = Recorder("0199-call-rec1", None, caller_may_stop=False)


def asked(number: str, **settings: Any) -> dict[str, Any]:
    return {"number": number, "confirm": True, **settings}


# On a line.


@pytest.mark.looptime
async def test_a_voicemail_that_answers_does_not_take_the_call() -> None:
    line = FakeLine({MOBILE: Answers(presses=False), DESK: Answers()})
    route = [{"ring": {"to": [asked(MOBILE), asked(DESK)], "strategy": "in_order"}}]
    state = await attend(line, FakeCallServices(terms_of(route)))
    assert [(leg.to, leg.outcome, leg.confirmation) for leg in state.legs.values()] == [
        (MOBILE, "no_answer", "no_key"),
        (DESK, "taken", "key"),
    ]
    assert state.ending is not None
    assert state.ending.outcome is Result.ANSWERED


@pytest.mark.looptime
async def test_only_a_voicemail_answered_and_the_route_goes_on_as_without_an_answer() -> None:
    line = FakeLine({MOBILE: Answers(presses=False)})
    route = [{"ring": {"to": asked(MOBILE), "no_answer": [{"announce": "nobody"}]}}]
    state = await attend(line, FakeCallServices(terms_of(route)))
    assert line.heard[-2] == "nobody"
    assert state.answered is None


@pytest.mark.looptime
async def test_the_destination_that_answers_hears_its_whisper() -> None:
    line = FakeLine({DESK: Answers()})
    await attend(line, FakeCallServices(terms_of([{"ring": {"to": {"number": DESK, "whisper": "sales"}}}])))
    assert f"{DESK} hears sales" in line.heard


# What Asterisk is given.


def values(*to: Destination, **settings: Any) -> dict[str, Any]:
    connect = Connect(number=1, to=to, seconds=20, limit=60, **settings)
    shown = Caller(Presentation.SHOWN, "+4915123456789")
    return dict(variables(connect, shown, "+3280012345", "PJSIP/{number}@trunk"))


def test_each_leg_gets_its_own_whisper_and_question() -> None:
    mobile, desk = Destination(number=MOBILE), Destination(number=DESK, whisper="for-sales")
    given = values(mobile, desk, whispers={DESK: WHISPER})
    assert given["CONNECT_OPTIONS"] == "U(taken^s^1)"
    assert given["_CONNECT_SAY_3221112233"] == "/published/aa-2"
    given = values(Destination(number=MOBILE, confirm=True), question=QUESTION)
    assert given["CONNECT_OPTIONS"] == "U(taken^s^1)"
    assert given["_CONNECT_ASK_32470111222"] == "/published/bb-2"


def test_a_recorded_call_goes_on_to_the_recorder() -> None:
    given = values(Destination(number=MOBILE, confirm=True), question=QUESTION, recorder=RECORDER)
    assert given["CONNECT_OPTIONS"] == "U(taken^s^1)"
    assert given["_REC_FILE"] == RECORDER.audio_id


def test_a_plain_ring_is_one_command_as_before() -> None:
    assert as_extension(values(Destination(number=MOBILE))) is not None


# What CEL says of it.


@pytest.mark.parametrize("result", ["no_key", "left"])
def test_a_leg_that_did_not_confirm_has_not_answered(result: str) -> None:
    answered = [LEG_ONE, event("ANSWER", ONE, 5), event("ASKED", ONE, 12, result=result), hangup(ONE, 12, 16)]
    state = after(*answered)
    assert outcome(state.legs[LEG]) == ("no_answer", 19, 0)
    state = after(*answered, back(12.1, f"{ONE}:UpCONGESTION:16:200:{OFFICE}"))
    assert outcome(state.legs[LEG]) == ("no_answer", 19, 200)
    assert state.legs[LEG].confirmation == result
    assert state.legs[LEG].answered == at(5)


def test_another_result_is_an_error_of_the_line() -> None:
    with pytest.raises(KeyError, match="maybe"):
        list(entries_of(event("ASKED", ONE, 5, result="maybe"), started(), {}))


def test_the_entry_is_read_back() -> None:
    entry = LegAsked(CALL, at(5), LEG, "key")
    assert decode(encode(entry)) == entry


def test_an_older_leg_was_not_asked() -> None:
    state = after(LEG_ONE)
    state.apply(LegEnded(CALL, at(9), LEG, Outcome.BUSY, 17))
    assert state.legs[LEG].confirmation == ""


def test_explain_says_of_a_past_call_that_nobody_pressed_1() -> None:
    number = service_number([{"ring": {"to": asked(A)}}])
    record = past("no_answer", replace(leg(A, "no_answer", answered=True), confirmation="no_key", cause=19))
    routing = Routing({number.key: number}, {"acme": Owner(name="ACME")}, {}, "d1", {})
    text = explained(record, number, routing, "en").text()
    assert f"{A}: no answer, cause 19 (Q.850), did not press 1" in text
    assert f"Ring: {A} -> no answer" in text
