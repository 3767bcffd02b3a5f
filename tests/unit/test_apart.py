"""`delay`, and `confirm` beside others: what Asterisk is given, what CEL says of it, what comes of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dialplan.caller import WITHHELD, Caller, Presentation
from dialplan.destination import Destination
from dialplan.prompt import CONFIRM, Prompt
from dialplan.result import Outcome, Result
from engine.ari.connect import as_extension, variables
from engine.ari.operations import Variables
from engine.line import Connect, Recorder
from journal.cel import CelEvent
from journal.entries import HandedOver
from tests.unit.cel_events import (
    CALL,
    HOME,
    LEG,
    LEG_ONE,
    LEG_TWO,
    OFFICE,
    ONE,
    OTHER,
    TWO,
    after,
    at,
    event,
    hangup,
    outcome,
    read,
    started,
)
from tests.unit.fake_dial import Answers
from tests.unit.fake_services import FakeCallServices, attend
from tests.unit.fakes import FakeLine
from tests.unit.stories import terms_of
from tests.unit.test_strategy import walked

MOBILE, DESK = "+32470111222", "+3221112233"
SHOWN = Caller(Presentation.SHOWN, "+4915123456789")
QUESTION = Prompt(CONFIRM, Path("/published/bb-2.wav"), 2.0, "bb")
MUSIC = Prompt("waiting", Path("/published/5ha256-1.wav"), 60.0, "5ha256")
DESK_FIRST = (Destination(number=DESK), Destination(number=MOBILE, delay=8))


def given(*to: Destination, caller: Caller = SHOWN, **settings: Any) -> Variables:
    connect = Connect(number=1, to=to, seconds=20, limit=60, **settings)
    values = variables(connect, caller, "+3280012345", "PJSIP/{number}@trunk{n}", music=["5ha256-1"])
    assert "4915123456789" not in f"{values}"
    return values


# What Asterisk is given.


def test_each_destination_is_dialled_by_itself_after_its_delay_until_the_ring_is_over() -> None:
    values = given(*DESK_FIRST)
    assert values["CONNECT_APART"] == "Local/1@apart-leg&Local/2@apart-leg"
    assert values["__APART"] == "1&2"
    assert (values["__APART_TO_1"], values["__APART_TO_2"]) == (DESK, MOBILE)
    assert values["__APART_1"] == "0-20-PJSIP/+3221112233@trunk0"
    assert values["__APART_2"] == "8-12-PJSIP/+32470111222@trunk1"
    assert values["CONNECT_TO"] == "PJSIP/+3221112233@trunk0&PJSIP/+32470111222@trunk1"
    assert as_extension(values) is None


def test_the_first_that_is_left_rings_at_once() -> None:
    values = given(Destination(number=DESK, delay=10), Destination(number=MOBILE, delay=15))
    assert (values["__APART_1"], values["__APART_2"]) == (
        "0-20-PJSIP/+3221112233@trunk0",
        "5-15-PJSIP/+32470111222@trunk1",
    )


@pytest.mark.parametrize(
    "to",
    [
        (Destination(number=MOBILE, delay=8),),
        (Destination(number=MOBILE, confirm=True),),
        (Destination(number=DESK), Destination(number=MOBILE)),
    ],
)
def test_one_alone_and_all_at_once_need_one_dial(to: tuple[Destination, ...]) -> None:
    assert "CONNECT_APART" not in given(*to, question=QUESTION if to[0].confirm else None)


def test_where_the_question_is_missing_nobody_is_asked() -> None:
    asked = Destination(number=MOBILE, confirm=True)
    assert "CONNECT_APART" in given(asked, Destination(number=DESK), question=QUESTION)
    assert "CONNECT_APART" not in given(asked, Destination(number=DESK))


def test_what_a_leg_reads_passes_the_local_channel() -> None:
    recorder = Recorder("0199-call-rec1", None, caller_may_stop=False)
    to = (Destination(number=DESK, present="service_number"), Destination(number=MOBILE, confirm=True))
    values = given(*to, question=QUESTION, recorder=recorder, caller=WITHHELD)
    assert values["__CONNECT_ASK_32470111222"] == "/published/bb-2"
    assert values["__CONNECT_SHOW_32470111222"] == "nobody"
    assert values["__CONNECT_SHOW_3221112233"] == "service"
    assert (values["__CONNECT_AS"], values["__REC_FILE"]) == ("+3280012345", "0199-call-rec1")
    assert (values["CONNECT_OPTIONS"], values["__APART_OPTIONS"]) == ("", "")
    assert not [name for name in values if name.startswith("_") and not name.startswith("__")]


def test_what_is_shown_is_decided_at_the_leg_and_what_the_caller_hears_before() -> None:
    values = given(*DESK_FIRST, caller=WITHHELD, music=MUSIC)
    assert (values["CONNECT_OPTIONS"], values["__APART_OPTIONS"]) == ("m(5ha256-1)", "f(0)u(prohib)")


# What CEL says of it.


def local(kind: str, seconds: float, **extra: str) -> CelEvent:
    channel = "dev-1795776981.3"
    return replace(event(kind, channel, seconds, **extra), name="Local/1@apart-leg-00000000;2")


def leg_over(seconds: float, to: str, **extra: str) -> CelEvent:
    return local(
        "LEG", seconds, **{"to": to, "status": "CANCEL", "rang": "", "progress": "", "legs": ""} | extra
    )


def test_a_local_channel_is_not_a_leg() -> None:
    state = after(*(local(kind, 1) for kind in ("CHAN_START", "ANSWER", "BRIDGE_ENTER")))
    assert not state.legs
    assert (state.answered, state.connected) == (None, None)


def test_a_leg_knows_its_destination_in_whatever_order_the_channels_begin() -> None:
    state = after(
        LEG_ONE, LEG_TWO, event("DIALLED", ONE, 0.3, to=HOME), event("DIALLED", TWO, 0.3, to=OFFICE)
    )
    assert {leg.leg_id: leg.to for leg in state.legs.values()} == {LEG: HOME, OTHER: OFFICE}


def test_a_leg_rang_when_its_own_dial_says_so() -> None:
    state = after(LEG_ONE, LEG_TWO, leg_over(9, OFFICE, rang="40"), leg_over(9, HOME, progress="90"))
    assert (state.legs[LEG].ringing, state.legs[OTHER].ringing) == (at(0.14), at(0.29))


def test_a_destination_that_was_not_rung_yet_has_no_leg() -> None:
    assert not after(leg_over(3, HOME)).legs


def test_another_one_took_the_call() -> None:
    told = leg_over(6, HOME, rang="40", legs=f"&{TWO}:Ringing:26:180:{HOME}")
    taken = [event("ANSWER", ONE, 5), event("BRIDGE_ENTER", ONE, 5.1)]
    state = after(LEG_ONE, LEG_TWO, *taken, told, hangup(TWO, 6, 26))
    assert outcome(state.legs[OTHER]) == ("no_answer", 26, 180)


@pytest.mark.parametrize("first", [True, False])
def test_a_caller_gave_up_and_the_leg_ended_with_a_cause_that_says_nothing(first: bool) -> None:
    told = [leg_over(6, OFFICE), hangup(ONE, 6, 127)]
    state = after(LEG_ONE, *(told if first else reversed(told)))
    assert outcome(state.legs[LEG]) == ("no_answer", 16, 0)


def test_a_leg_of_an_earlier_ring_stays_as_it_was() -> None:
    state = started()
    read(state, [LEG_ONE, hangup(ONE, 2, 17)])
    state.apply(HandedOver(CALL, at(3), (OFFICE, HOME), 25))
    read(state, [leg_over(6, OFFICE, rang="40")])
    assert outcome(state.legs[LEG])[:2] == ("busy", 17)


# What comes of it.


def asked(number: str, **settings: Any) -> dict[str, Any]:
    return {"number": number, "confirm": True, **settings}


@pytest.mark.looptime
async def test_a_voicemail_that_answers_first_does_not_end_the_ringing_of_the_others() -> None:
    line = FakeLine({MOBILE: Answers(after=1, presses=False), DESK: Answers(after=6)})
    state = await attend(line, FakeCallServices(terms_of([{"ring": {"to": [asked(MOBILE), DESK]}}])))
    assert [(leg.to, leg.outcome, leg.confirmation) for leg in state.legs.values()] == [
        (MOBILE, "no_answer", "no_key"),
        (DESK, "taken", ""),
    ]
    assert state.ending is not None
    assert state.ending.outcome is Result.ANSWERED


@pytest.mark.looptime
async def test_the_one_without_a_delay_is_asked_first() -> None:
    line = FakeLine({MOBILE: Answers(after=1), DESK: Answers(after=6)})
    await attend(
        line, FakeCallServices(terms_of([{"ring": {"to": [{"number": MOBILE, "delay": 10}, DESK]}}]))
    )
    assert f"talking to {DESK}" in line.heard


@pytest.mark.parametrize(
    ("outcomes", "result"), [([Outcome.TAKEN], "answered"), ([Outcome.BUSY], "busy"), ([], "answered")]
)
def test_a_ring_with_a_delay_is_one_ring_for_the_route(outcomes: list[Outcome], result: str) -> None:
    call = walked([{"ring": {"to": [DESK, {"number": MOBILE, "delay": "8"}]}}], *outcomes)
    assert (list(call.rings), call.result) == ([DESK, MOBILE], Result(result))
    assert next(iter(call.steps))[0].summary == f"{DESK}, {MOBILE} (8 s later) for 25 s"
