"""The benchmark's own arithmetic: what is read from logs, /proc and relays, and what is made of it."""

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import rates
from bench.calls import Call, Load, Sent, Taken, medians, quantile, read_calls, spread, summary
from bench.engine_only import bucket_quantile, lag_buckets
from bench.machine import Others
from bench.processes import Status, below, cpu_seconds, status
from bench.sipp import Ends, written
from bench.systems import System
from bench.traffic import Count, Frames, commands, events


def test_a_call_is_what_both_ends_saw_of_it() -> None:
    caller = "+1 10.000000 500.000000 10.000000 502000.000000 10.0 700000.0 11.0 700000.0 11.0 702000.0\n"
    destination = "took +1 10.000000 503500.000000 10.000000 699000.000000 11.000000 701500.000000\n"
    (call,) = read_calls(caller, destination)
    assert call.setup == pytest.approx(503.0)
    assert call.answer == pytest.approx(1.0)
    assert call.goodbye == pytest.approx(1.5)
    assert call.release is None


def test_the_slowest_of_those_hung_up_counts() -> None:
    caller = "+1 10.0 0.0 0.0 0.0 10.0 200000.0 11.0 0.0 11.0 1000.0\n"
    destination = (
        "lost +1 10.0 1000.0 10.0 105000.0\n"
        "took +1 10.0 1000.0 10.0 100000.0 11.0 1000.0\n"
        "lost +1 10.0 1000.0 10.0 107000.0\n"
    )
    (call,) = read_calls(caller, destination)
    assert call.release == pytest.approx(7.0)
    assert call.sent.ringing is None


@pytest.mark.parametrize(
    ("caller", "destination"),
    [
        ("", "took +1 1.0 0.0 1.0 0.0 2.0 0.0\n"),
        ("+1 1.0 0.0 0.0 0.0 1.0 0.0 2.0 0.0 2.0 0.0\n", ""),
        ("+1 1.0 0.0 0.0 0.0 1.", "took +1 1.0 0.0 1.0 0.0 2.0 0.0\n"),
        ("+1 1.0 0.0 0.0 0.0 1.0 0.0 2.0 0.0 2.0 0.0\n", "took +1 1.0 0.0 1.0"),
    ],
)
def test_a_call_that_one_end_did_not_see_through_has_failed(caller: str, destination: str) -> None:
    assert read_calls(caller, destination) == ()
    assert Load(10, 1, ()).failed == 1


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.01, 1)])
def test_a_quantile_is_one_of_the_values(share: float, value: int) -> None:
    assert quantile(range(1, 101), share) == value


def a_load(rate: float, delay: float, failed: int = 0) -> Load:
    call = Call(Sent(0, None, 2, 3), Taken(delay, 1.9, 3.1))
    return Load(rate, 10, (call,) * (10 - failed))


def test_a_summary_has_only_what_there_was() -> None:
    told = summary(a_load(10, 0.004, failed=2))
    assert told["setup_p50"] == pytest.approx(4.0)
    assert (told["placed"], told["failed"]) == (10, 2)
    assert "release_p50" not in told


def test_rounds_become_medians_and_failures_add_up() -> None:
    rounds = [
        {"failed": 1, "setup_p50": 2.0},
        {"failed": 2, "setup_p50": 9.0},
        {"failed": 0, "setup_p50": 3.0},
    ]
    assert medians(rounds) == {"failed": 3, "setup_p50": 3.0}
    assert spread(rounds) == {"failed": (0, 2), "setup_p50": (2.0, 9.0)}


@pytest.mark.parametrize("limit", [35.0, 130.0, 510.0])
async def test_the_highest_rate_is_found_from_below(limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[float] = []

    async def is_held(_: System, rate: float, seconds: float) -> bool:
        tried.append(rate)
        return rate <= limit

    monkeypatch.setattr(rates, "is_held", is_held)
    system = System(Ends("", ""), {}, Path())
    found = await rates.highest_rate(system, 8, rates.Search(begin=128), close=1.07)
    assert limit / 1.07 <= found <= limit
    assert len(tried) < 12
    tried.clear()
    again = await rates.highest_rate(system, 8, rates.Search(found, stride=1.07), close=1.07)
    assert again == found
    assert len(tried) == 2


def test_a_rate_is_held_without_a_failed_call_and_with_quick_setups() -> None:
    assert rates.held(a_load(10, 0.4))
    assert not rates.held(a_load(10, 0.6))
    assert not rates.held(a_load(10, 0.4, failed=1))


def frame(message: bytes, key: bytes = b"\x01\x02\x03\x04") -> bytes:
    masked = bytes(byte ^ key[index % 4] for index, byte in enumerate(message))
    size = bytes([0x80 | len(message)]) if len(message) < 126 else b"\xfe" + len(message).to_bytes(2)
    return b"\x81" + size + key + masked


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_events_are_counted_whatever_the_pieces_they_come_in(size: int) -> None:
    messages = [b'{"type":"StasisStart"}', b'{"x":"' + b"y" * 300 + b'","type":"Dial"}', b'{"type":"Dial"}']
    stream = b"GET /ari HTTP/1.1\r\nUpgrade: websocket\r\n\r\n" + b"".join(map(frame, messages))
    count = Count()
    see = events(count)
    for start in range(0, len(stream), size):
        see(stream[start : start + size])
    assert count.messages == {"StasisStart": 1, "Dial": 2}


def test_a_stream_without_its_head_has_no_messages_yet() -> None:
    assert list(Frames().feed(b"GET /ari HTTP/1.1\r\n")) == []


def test_commands_are_counted_by_what_they_do_and_not_to_whom() -> None:
    count = Count()
    see = commands(count)
    see(b"POST /ari/channels/0199-b1/dial?timeout=30 HTTP/1.1\r\nHost: x\r\n\r\n")
    see(b"POST /ari/channels/0200-b1/dial HTTP/1.1\r\nHost: x\r\n\r\n")
    see(b"POST /ari/asterisk/variable?variable=ENGINE_ALIVE HTTP/1.1\r\n\r\n")
    assert count.per(2)["kinds"] == {"POST /channels/*/dial": 1.0}


def test_a_family_is_a_process_and_all_below_it() -> None:
    assert sorted(below(1, {1: [2, 3], 3: [4], 9: [10]})) == [1, 2, 3, 4]


def test_the_kernel_counts_our_own_cpu() -> None:
    before = cpu_seconds({"us": os.getpid()})["us"]
    spent = sum(index * index for index in range(2_000_000))
    assert spent
    assert cpu_seconds({"us": os.getpid()})["us"] > before
    assert isinstance(status(os.getpid()), Status)


def test_our_own_work_is_not_that_of_others() -> None:
    others = Others()
    spent = sum(index * index for index in range(3_000_000))
    assert spent
    assert 0 <= others.share() <= 1


def test_the_lag_of_a_loop_is_read_from_its_histogram() -> None:
    text = (
        'callengine_loop_lag_seconds_bucket{le="0.001"} 90.0\n'
        'callengine_loop_lag_seconds_bucket{le="0.01"} 100.0\n'
        'callengine_loop_lag_seconds_bucket{le="+Inf"} 100.0\n'
    )
    assert bucket_quantile(lag_buckets(text), 0.95) == pytest.approx(0.0055)


@pytest.mark.parametrize("media", [True, False])
@pytest.mark.parametrize("name", ["caller", "destination"])
def test_scenarios_are_xml_with_and_without_media(name: str, media: bool, tmp_path: Path) -> None:
    scenario = ElementTree.fromstring(written(name, tmp_path, media=media))  # noqa: S314 - our own
    assert (scenario.find("nop/action/exec") is not None) == media
