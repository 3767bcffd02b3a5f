"""What Asterisk's JSON becomes; the samples are those of Asterisk 22.10.1, shortened."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.ari import events
from engine.ari.events import Kind, parse

AT = "2026-11-24T10:13:15.403+0000"
CHANNEL = {
    "id": "1764000000.7",
    "name": "PJSIP/trunk-00000007",
    "state": "Ring",
    "caller": {"name": "Mallory", "number": "+32470998877"},
    "connected": {"name": "", "number": ""},
    "dialplan": {"context": "inbound", "exten": "+3270012345", "priority": 12, "app_name": "Stasis"},
    "creationtime": AT,
    "channelvars": {"CALLERID(pres)": "allowed", "X_PRIVACY": ""},
}
RECORDING = {"name": "call-vm1", "format": "wav", "state": "done", "duration": 7}


def event(type_: str, **fields: Any) -> events.Event:
    raw = {"type": type_, "timestamp": AT, "application": "engine", "channel": CHANNEL, **fields}
    return parse(json.loads(json.dumps(raw)))


def test_an_event_happened_when_asterisk_says_in_utc() -> None:
    assert event("StasisEnd").at == datetime(2026, 11, 24, 10, 13, 15, 403000, tzinfo=UTC)


def test_a_host_in_another_zone_tells_the_same_instant() -> None:
    there = event("StasisEnd", timestamp="2026-11-24T11:13:15.403+0100")
    assert there.at == event("StasisEnd").at
    assert there.at.tzinfo is UTC


def test_an_incoming_call_brings_all_that_identifies_its_caller() -> None:
    start = event("StasisStart", args=["in", "+3270012345"])
    assert isinstance(start, events.StasisStart)
    assert start.is_call
    assert start.channel.caller_number == "+32470998877"
    assert start.channel.exten == "+3270012345"
    assert start.channel.variables["CALLERID(pres)"] == "allowed"


@pytest.mark.parametrize("args", [["back", "1", "BUSY"], ["whisper"], [], ["inbound"]])
def test_who_is_back_and_what_we_made_ourselves_are_no_new_calls(args: list[str]) -> None:
    start = event("StasisStart", args=args)
    assert isinstance(start, events.StasisStart)
    assert not start.is_call


def test_an_end_has_its_cause() -> None:
    end = event("ChannelDestroyed", cause=17, tech_cause=486, cause_txt="User busy")
    assert isinstance(end, events.ChannelDestroyed)
    assert end.cause == 17


def test_dialling_is_about_the_caller_for_whom_a_leg_is_dialled() -> None:
    leg = {**CHANNEL, "id": "1764000001.8"}
    dial = event("Dial", peer=leg, caller=CHANNEL, dialstatus="RINGING", dialstring="x")
    assert isinstance(dial, events.Dial)
    assert (dial.status, dial.channel.id, dial.caller) == ("RINGING", "1764000001.8", "1764000000.7")
    assert dial.about == (Kind.CHANNEL, "1764000000.7")


def test_dialling_for_nobody_is_about_nobody() -> None:
    dial = event("Dial", peer=CHANNEL, dialstatus="")
    assert dial.about == (Kind.CHANNEL, "")


@pytest.mark.parametrize(
    ("type_", "fields", "about"),
    [
        ("StasisEnd", {}, (Kind.CHANNEL, "1764000000.7")),
        ("ChannelStateChange", {}, (Kind.CHANNEL, "1764000000.7")),
        ("ChannelDtmfReceived", {"digit": "4", "duration_ms": 90}, (Kind.CHANNEL, "1764000000.7")),
        (
            "PlaybackStarted",
            {"playback": {"id": "call-p1", "state": "playing"}},
            (Kind.PLAYBACK, "call-p1"),
        ),
        ("PlaybackFinished", {"playback": {"id": "call-p1", "state": "done"}}, (Kind.PLAYBACK, "call-p1")),
        ("RecordingFinished", {"recording": RECORDING}, (Kind.RECORDING, "call-vm1")),
        (
            "RecordingFailed",
            {"recording": {**RECORDING, "cause": "in bridge"}},
            (Kind.RECORDING, "call-vm1"),
        ),
        ("ChannelUserevent", {"eventname": "marker-1", "userevent": {}}, (Kind.MARKER, "marker-1")),
    ],
)
def test_every_event_says_what_it_is_about(
    type_: str, fields: dict[str, Any], about: tuple[Kind, str]
) -> None:
    parsed = event(type_, **fields)
    assert type(parsed).__name__ == type_
    assert parsed.about == about


def test_a_recording_too_short_to_count_has_no_length() -> None:
    end = event("RecordingFinished", recording={"name": "call-vm1", "format": "wav", "state": "done"})
    assert isinstance(end, events.RecordingFinished)
    assert end.recording.seconds is None


def test_an_event_of_no_use_is_another_event_about_nothing() -> None:
    other = event("ChannelVarset", variable="X", value="secret")
    assert other == events.Other(other.at, "ChannelVarset")
    assert other.about is None


@pytest.mark.parametrize(
    "shown",
    [event("StasisStart", args=["in"]), event("StasisEnd"), event("ChannelDtmfReceived", digit="4711")],
)
def test_nothing_a_caller_sent_shows_in_a_log(shown: events.Event) -> None:
    for secret in ("32470998877", "Mallory", "a-call-id", "4711"):
        assert secret not in f"{shown!r} {shown}"


@pytest.mark.parametrize(
    "raw",
    [{}, {"type": "StasisEnd"}, {"type": "StasisEnd", "timestamp": AT}, {"type": "Dial", "timestamp": "now"}],
)
def test_what_is_no_event_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError)):
        parse(raw)
