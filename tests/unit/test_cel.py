"""Reading one CEL record. The lines are measured (Asterisk 22.10.1, asterisk/etc/cel_custom.conf)."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.cel import CelEvent, parse, records

HANGUP = (
    b'"HANGUP","1795819556.345642","dev-1795819556.21","dev-1795819556.20","PJSIP/trunk-00000001","connect","s",'
    b'"{""hangupcause"":16,""hangupsource"":""PJSIP/trunk-00000000"",""dialstatus"":""ANSWER""}"'
)
LEG = (
    b'"LEG","1795819594.000001","dev-1795819594.7","dev-1795819594.6","PJSIP/trunk-00000001","leg","s",'
    b'"{""extra"":""leg=abc-1 to=+32470111222 seconds=20""}"'
)
ANSWER = (
    b'"ANSWER","1795819554.533416","dev-1795819554.0","dev-1795819554.0",'
    b'"PJSIP/trunk-00000000","connect","s",""'
)


def test_a_hangup_says_who_hung_up_and_why() -> None:
    assert parse(HANGUP) == CelEvent(
        kind="HANGUP",
        at=datetime(2026, 11, 27, 22, 45, 56, 345642, tzinfo=UTC),
        channel="dev-1795819556.21",
        call="dev-1795819556.20",
        name="PJSIP/trunk-00000001",
        context="connect",
        exten="s",
        extra={"hangupcause": 16, "hangupsource": "PJSIP/trunk-00000000", "dialstatus": "ANSWER"},
    )


def test_a_user_event_has_its_own_name_and_its_pairs() -> None:
    event = parse(LEG)
    assert (event.kind, event.at.microsecond) == ("LEG", 1)
    assert event.extra == {"leg": "abc-1", "to": "+32470111222", "seconds": "20"}
    assert not event.is_of_caller


def test_an_event_may_have_nothing_to_add() -> None:
    event = parse(ANSWER)
    assert (event.kind, event.extra, event.is_of_caller) == ("ANSWER", {}, True)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", {}),
        ("alone", {}),
        ("a=1 alone b= c=x=y", {"a": "1", "b": "", "c": "x=y"}),
        ("a=\\u0001\\n b=\\u00e9", {"b": "é"} | {"a": "\x01"}),
    ],
)
def test_of_a_user_events_text_only_pairs_count(text: str, pairs: dict[str, str]) -> None:
    record = LEG.replace(b"leg=abc-1 to=+32470111222 seconds=20", text.encode())
    assert parse(record).extra == pairs


def test_an_extension_that_no_dialplan_has_is_dropped_and_the_event_is_kept() -> None:
    event = parse(ANSWER.replace(b'"connect","s"', b'"inbound","08\r00"'))
    assert (event.context, event.exten) == ("inbound", "")


@pytest.mark.parametrize("whole", [HANGUP, LEG, ANSWER])
def test_a_cut_record_is_not_an_event(whole: bytes) -> None:
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"."):
            parse(whole[:length])


@pytest.mark.parametrize("whole", [HANGUP, LEG, ANSWER])
def test_a_record_behind_a_cut_one_is_found(whole: bytes) -> None:
    for length in range(len(HANGUP) + 1):
        assert parse([*records(HANGUP[:length] + whole)][-1]) == parse(whole)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"rubbish",
        ANSWER + b',"one more"',
        ANSWER.replace(b"1795819554.533416", b"2026-11-27 22:45:54"),
        ANSWER.replace(b"dev-1795819554.0", b""),
        ANSWER.replace(b"PJSIP", b"\xff\xfe"),
        HANGUP.replace(b"16", b"[" * 4000),
        HANGUP.replace(b'{""', b'[{""'),
        LEG.replace(b'{""extra"":""leg=abc-1 to=+32470111222 seconds=20""}', b"[1]"),
    ],
)
def test_everything_else_is_a_value_error(wrong: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(wrong)


PIECES = st.sampled_from(
    [HANGUP, LEG, ANSWER, b'"', b'""', b",", b"{", b'""extra"":', b"\0", b"\r", b"1795819554.533416"]
)


@given(st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=12).map(b"".join)))
def test_whatever_stands_there_is_an_event_or_a_value_error(line: bytes) -> None:
    split = [*records(line)]
    assert b"".join(split) == line
    for record in split:
        with suppress(ValueError):
            assert isinstance(parse(record), CelEvent)


@given(st.data())
def test_a_damaged_record_is_an_event_or_a_value_error(data: st.DataObject) -> None:
    record = bytearray(data.draw(st.sampled_from([HANGUP, LEG, ANSWER])))
    for _ in range(data.draw(st.integers(1, 4))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        assert isinstance(parse(bytes(record)), CelEvent)
