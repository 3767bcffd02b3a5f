"""Exports: nothing in a spreadsheet calculates, and nothing is changed for a program."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.export import COLUMNS, as_cells, as_object, harmless
from storage.records import CallRecord, LegRecord

NOON = datetime(2026, 11, 24, 12, 0, 0, 123_000, UTC)

RECORD = CallRecord(
    call_id="018f0000-0000-7000-8000-000000000001",
    number="+3270012345",
    owner="acme",
    caller="+32470111222",
    withheld=False,
    began=NOON,
    node="engine1",
    answered=NOON + timedelta(seconds=5.5),
    connected=NOON + timedelta(seconds=5.499),
    ended=NOON + timedelta(seconds=65.625),
    delivered_to="+3221112233",
    outcome="answered",
    ended_by="caller",
    cause=16,
    legs=(LegRecord("018f0000-0000-7000-8000-000000000001-b1", "+3221112233", NOON),),
)

# With what a spreadsheet begins a formula; the full-width ones too, in Japanese Excel.
FORMULA = tuple("=+-@\t\r\n|%＝＋－＠")


def test_the_columns_are_those_of_the_design() -> None:
    assert ", ".join(COLUMNS) == (
        "call_id, number, owner, caller, withheld, began, answered, ended, ring_seconds, talk_seconds, "
        "delivered_to, outcome, ended_by, cause, recording_id, message_id, node"
    )


def test_a_record_as_cells() -> None:
    assert dict(zip(COLUMNS, as_cells(RECORD), strict=True)) == {
        "call_id": "018f0000-0000-7000-8000-000000000001",
        "number": "'+3270012345",
        "owner": "acme",
        "caller": "'+32470111222",
        "withheld": "false",
        "began": "2026-11-24T12:00:00.123Z",
        "answered": "2026-11-24T12:00:05.623Z",
        "ended": "2026-11-24T12:01:05.748Z",
        "ring_seconds": "5.500",
        "talk_seconds": "60.125",
        "delivered_to": "'+3221112233",
        "outcome": "answered",
        "ended_by": "caller",
        "cause": "16",
        "recording_id": "",
        "message_id": "",
        "node": "engine1",
    }


def test_a_record_as_an_object_has_exact_texts_and_its_legs() -> None:
    told = json.loads(json.dumps(as_object(RECORD)))
    assert tuple(told) == (*COLUMNS, "connected", "notice", "legs", "clock", "trunk")
    assert (told["number"], told["ring_seconds"], told["talk_seconds"]) == ("+3270012345", 5.5, 60.125)
    assert told["connected"] == "2026-11-24T12:00:05.622Z"
    assert told["legs"] == [
        {
            "leg_id": "018f0000-0000-7000-8000-000000000001-b1",
            "to": "+3221112233",
            "began": "2026-11-24T12:00:00.123Z",
            "ringing": None,
            "answered": None,
            "connected": None,
            "ended": None,
            "outcome": "",
            "cause": None,
            "sip": None,
            "trunk": "",
            "confirmation": None,
        }
    ]
    leg = replace(RECORD.legs[0], connected=NOON, sip=200)
    (told_leg,) = as_object(replace(RECORD, legs=(leg,)))["legs"]
    assert (told_leg["connected"], told_leg["sip"]) == ("2026-11-24T12:00:00.123Z", 200)


def test_where_the_clock_was_set_the_durations_are_those_of_a_steady_one() -> None:
    clock = {"stepped": 3600.0, "ring": 5.5, "talk": 60.125}
    stepped = replace(RECORD, ended=NOON + timedelta(seconds=3665.625), clock=clock)
    told = as_object(stepped)
    assert (told["ring_seconds"], told["talk_seconds"], told["clock"]) == (5.5, 60.125, clock)
    assert told["ended"] == "2026-11-24T13:01:05.748Z"
    cells = dict(zip(COLUMNS, as_cells(stepped), strict=True))
    assert (cells["ring_seconds"], cells["talk_seconds"]) == ("5.500", "60.125")
    assert as_object(RECORD)["clock"] is None


def test_a_withheld_caller_is_an_empty_cell() -> None:
    cells = dict(zip(COLUMNS, as_cells(replace(RECORD, caller="", withheld=True)), strict=True))
    assert (cells["caller"], cells["withheld"]) == ("", "true")


def test_a_call_without_answer_has_an_empty_instant_and_no_talk() -> None:
    unanswered = replace(RECORD, answered=None, cause=None)
    cells = dict(zip(COLUMNS, as_cells(unanswered), strict=True))
    assert (cells["answered"], cells["talk_seconds"], cells["cause"]) == ("", "0.000", "")
    assert (as_object(unanswered)["answered"], as_object(unanswered)["cause"]) == (None, None)


def test_an_instant_of_any_zone_is_told_in_utc() -> None:
    brussels = RECORD.began.astimezone(timezone(timedelta(hours=1)))
    assert as_cells(replace(RECORD, began=brussels)) == as_cells(RECORD)


@pytest.mark.parametrize("text", ["acme", "018f-b1", "3270012345", "answered"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


@pytest.mark.parametrize("text", ["+3270012345", "-node", "_x", ".hidden", "'quoted", "é"])
def test_a_program_finds_the_text_behind_one_apostrophe(text: str) -> None:
    assert harmless(text).removeprefix("'") == text


@pytest.mark.parametrize(
    "text",
    ["=cmd|' /C calc'!A0", "@SUM(1+1)", "\t=1", "\r=1", " =1", "＝1", "a;=1", "a\t=1", "a\r\n=1", '";=1;"'],
)
def test_well_known_attacks_are_only_text(text: str) -> None:
    assert formulas(text) == []


hostile = st.text(st.sampled_from("=+-@\t\r\n;,'\" |a1＝\u202e\u200b\u00a0")) | st.text()


@given(hostile)
def test_whatever_text_stands_in_a_record_no_cell_can_be_a_formula(text: str) -> None:
    assert formulas(text) == []


def formulas(text: str) -> list[str]:
    """The cells that a spreadsheet would calculate, `text` being in every column, whatever separates them."""
    record = replace(RECORD, owner=text, number=text, caller=text, delivered_to=text, outcome=text, node=text)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(as_cells(record))
    cells = [
        cell.lstrip(' "')
        for separator in ",;\t"
        for row in csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=separator)
        for cell in row
    ]
    return [cell for cell in cells if cell.startswith(FORMULA)]
