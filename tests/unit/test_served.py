"""What CEL tells of calls that Asterisk served alone. The lines are measured (Asterisk 22.10.1)."""

from datetime import UTC, datetime

import pytest
from engine.served import Served, record

from dialplan.result import Outcome, Result
from engine.ari.cel import seen, served
from engine.handle import handle
from journal.ids import call_id_of
from journal.state import fold
from tests.unit.fakes import FakeDesk, FakeLine, Says
from tests.unit.test_recording import OFFICE, desk_of

ANSWERED = """\
"CHAN_START","1795777790.600100","dev-1795777790.0","dev-1795777790.0","","inbound","+3280000003","","PJSIP/trunk-00000000"
"APP_START","1795777795.986353","dev-1795777790.0","dev-1795777790.0","","fallback","+3280000003",\
"PJSIP/+32470000002@trunk,30","PJSIP/trunk-00000000"
"CHAN_START","1795777795.986700","dev-1795777795.3","dev-1795777790.0","","inbound","","","PJSIP/trunk-00000001"
"ANSWER","1795777796.190457","dev-1795777795.3","dev-1795777790.0","","inbound","+3280000003","","PJSIP/trunk-00000001"
"ANSWER","1795777796.190532","dev-1795777790.0","dev-1795777790.0","","fallback","+3280000003","","PJSIP/trunk-00000000"
"BRIDGE_ENTER","1795777796.191445","dev-1795777795.3","dev-1795777790.0","{""bridge_id"":""2abe""}","inbound","","","PJSIP/trunk-00000001"
"HANGUP","1795777799.825667","dev-1795777790.0","dev-1795777790.0","{""hangupcause"":16,\
""hangupsource"":""PJSIP/trunk-00000000"",""dialstatus"":""ANSWER""}","fallback","+3280000003","","PJSIP/trunk-00000000"
"CHAN_END","1795777799.825667","dev-1795777790.0","dev-1795777790.0","","fallback","+3280000003","","PJSIP/trunk-00000000"
"HANGUP","1795777799.825828","dev-1795777795.3","dev-1795777790.0","{""hangupcause"":16}","inbound","","","PJSIP/trunk-00000001"
"LINKEDID_END","1795777799.825828","dev-1795777795.3","dev-1795777790.0","","inbound","","","PJSIP/trunk-00000001"
"""
UNANSWERED = """\
"CHAN_START","1795777796.933000","dev-1795777796.32","dev-1795777796.32","","inbound","+3280000003","","PJSIP/trunk-00000000"
"APP_START","1795777796.934396","dev-1795777796.32","dev-1795777796.32","","fallback","+3280000003",\
"PJSIP/+32470000002@trunk,30","PJSIP/trunk-00000000"
"CHAN_START","1795777796.934600","dev-1795777796.35","dev-1795777796.32","","inbound","","","PJSIP/trunk-00000001"
"HANGUP","1795777796.935300","dev-1795777796.35","dev-1795777796.32","{""hangupcause"":17}","inbound","","","PJSIP/trunk-00000001"
"HANGUP","1795777796.935378","dev-1795777796.32","dev-1795777796.32","{""hangupcause"":17,\
""dialstatus"":""BUSY""}","fallback","+3280000003","","PJSIP/trunk-00000000"
"LINKEDID_END","1795777796.935378","dev-1795777796.32","dev-1795777796.32","","fallback","+3280000003","","PJSIP/trunk-00000000"
"""
WITHOUT = '''\
"CHAN_START","1795777796.933000","dev-1795777796.32","dev-1795777796.32","","inbound","+3280000003","","PJSIP/trunk-00000000"
"HANGUP","1795777796.935378","dev-1795777796.32","dev-1795777796.32","{""hangupcause"":34,\
""dialstatus"":""""}","fallback","+3280000003","","PJSIP/trunk-00000000"
"LINKEDID_END","1795777796.935378","dev-1795777796.32","dev-1795777796.32","","fallback","+3280000003","","PJSIP/trunk-00000000"
'''


def told(text: str) -> Served | None:
    return served([seen(line) for line in text.splitlines()])


def whole(text: str) -> Served:
    it = told(text)
    assert it is not None
    return it


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(1795777000 + seconds, UTC)


def test_a_call_that_its_fallback_answered() -> None:
    it = whole(ANSWERED)
    assert (it.channel, it.dialled, it.began) == ("dev-1795777790.0", "+3280000003", at(790.6001))
    assert (it.result, it.by, it.cause, it.ended) == (Result.ANSWERED, "caller", 16, at(799.825667))
    assert it.attempt is not None
    assert (it.attempt.to, it.attempt.outcome) == ("+32470000002", Outcome.TAKEN)
    assert (it.attempt.began, it.attempt.answered) == (at(795.986353), at(796.190457))


def test_whoever_hung_up_first_has_ended_it() -> None:
    other = ANSWERED.replace(
        '""hangupsource"":""PJSIP/trunk-00000000""', '""hangupsource"":""PJSIP/trunk-00000001""'
    )
    assert whole(other).by == "destination"
    assert whole(other.replace('urce"":""PJSIP/trunk-00000001', 'urce"":""dialplan/builtin')).by == "limit"


@pytest.mark.parametrize(
    ("status", "result", "by", "outcome"),
    [
        ("BUSY", Result.BUSY, "engine", Outcome.BUSY),
        ("NOANSWER", Result.NO_ANSWER, "engine", Outcome.NO_ANSWER),
        ("CANCEL", Result.ABANDONED, "caller", Outcome.NO_ANSWER),
        ("CHANUNAVAIL", Result.UNREACHABLE, "engine", Outcome.UNREACHABLE),
        ("CONGESTION", Result.UNREACHABLE, "engine", Outcome.UNREACHABLE),
    ],
)
def test_what_came_of_a_fallback_that_nobody_answered(
    status: str, result: Result, by: str, outcome: Outcome
) -> None:
    it = whole(UNANSWERED.replace("BUSY", status))
    assert it.attempt is not None
    assert (it.result, it.by, it.attempt.outcome, it.attempt.answered) == (result, by, outcome, None)


def test_a_number_without_a_fallback_cannot_be_reached() -> None:
    it = whole(WITHOUT)
    assert (it.result, it.by, it.cause, it.attempt) == (Result.UNREACHABLE, "engine", 34, None)


def test_a_call_that_the_engine_had_is_none_of_these() -> None:
    assert told(ANSWERED.replace('"fallback"', '"door"')) is None


@pytest.mark.parametrize(
    "line", ["", '"CHAN_START"', '"A","x","c","d","","e","f","g","h"', '"A","1","c","d","{","e","f","","h"']
)
def test_a_line_that_is_none_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        seen(line)


async def test_a_call_that_no_engine_saw_has_a_whole_record() -> None:
    desk = desk_of("off", missed_calls="mail", mail="a@acme.example")
    await record(whole(ANSWERED), desk, "")
    it = fold(desk.entries)
    assert it is not None
    assert (it.call_id, it.node) == (call_id_of("dev-1795777790.0", "test1"), "test1")
    assert (it.owner, it.caller, it.withheld) == ("acme", "", False)
    assert (it.outcome, it.ended_by, it.delivered_to) == ("answered", "caller", "+32470000002")
    assert (it.ring.total_seconds(), it.talk.total_seconds()) == pytest.approx((0.204, 3.635), abs=0.001)
    assert [(leg.to, leg.outcome) for leg in it.legs] == [("+32470000002", "taken")]
    assert "missed" in desk.entries[0]


async def test_nor_is_one_lost_whose_number_is_nobodys_by_now() -> None:
    desk = FakeDesk(None)
    await record(whole(WITHOUT), desk, "")
    it = fold(desk.entries)
    assert it is not None
    assert (it.number, it.owner, it.outcome) == ("+3280000003", "", "unreachable")


@pytest.mark.looptime
async def test_a_caller_taken_to_the_fallback_by_asterisk_was_not_abandoned() -> None:
    line = FakeLine({OFFICE: Says(Outcome.BUSY, 60)}, hangs_up_after=5, served_alone=whole(ANSWERED))
    desk = desk_of("off")
    await handle(line, desk)
    it = fold(desk.entries)
    assert it is not None
    assert (it.outcome, it.ended_by, it.delivered_to) == ("answered", "caller", "+32470000002")
    assert it.ended == at(799.825667)
    assert [leg.leg_id for leg in it.legs] == ["0199-call-b1", "0199-call-f1"]


def test_the_id_of_a_call_is_the_same_whoever_asks() -> None:
    one, again, other = (call_id_of("dev-1795777790.0", node) for node in ("a", "a", "b"))
    assert one == again != other
    assert one[14] == "7"
    assert int(one.replace("-", "")[:12], 16) == 1795777790_000
