"""The benchmark's own arithmetic: what is read from logs, /proc and relays, and what is made of it."""

import os
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import rates
from bench.bars import bars
from bench.calls import Call, Load, Sent, Taken, medians, quantile, read_calls, spread, summary
from bench.engine_only import bucket_quantile, lag_buckets
from bench.goals import goals
from bench.machine import Others
from bench.page import BEGIN, END, fill
from bench.plot import plot, ticks
from bench.processes import Status, below, cpu_seconds, status
from bench.sipp import Ends, written
from bench.systems import System
from bench.tables import tables
from bench.traffic import Count, Frames, commands, events

DELAYS = {
    "placed": 80, "failed": 0, "setup_p50": 2.0, "setup_p99": 4.0, "answer_p50": 1.0, "answer_p99": 2.0,
    "goodbye_p50": 1.0, "goodbye_p99": 2.0, "release_p50": 2.0, "release_p99": 3.0,
}  # fmt: skip
SOUND = {
    "dialplan": {"placed": 60, "failed": 0, "cpu": {"asterisk": 80.0}},
    "engine": {"placed": 60, "failed": 0, "cpu": {"asterisk": 90.0, "engine": 10.0, "worker": 12.0}},
}
TRAFFIC = {"messages": 11.0, "bytes": 5500.0, "kinds": {}}
RESULTS: dict[str, Any] = {
    "plan": "quick",
    "machine": {
        "date": "2026-11-24 12:00 UTC", "commit": "abc1234", "processor": "a processor", "cores": 2,
        "memory_gb": 24.0, "kernel": "6.18", "python": "3.13.5", "asterisk": "22.10.1", "load": 0.1,
        "others": 0.02,
    },
    "systems": {
        "dialplan": {
            "delays": {"20": DELAYS, "50": DELAYS},
            "race": DELAYS,
            "cpu": {"asterisk": 3.4},
            "highest": 400.0,
        },
        "door": {
            "delays": {"20": DELAYS, "50": {**DELAYS, "setup_p50": 2.7}},
            "race": DELAYS,
            "cpu": {"asterisk": 3.5},
            "highest": 380.0,
        },
        "engine": {
            "delays": {"20": DELAYS, "50": {**DELAYS, "setup_p50": 3.5}},
            "race": DELAYS,
            "cpu": {"asterisk": 6.3, "engine": 1.4, "worker": 0.8, "postgres": 0.9},
            "highest": 190.0,
            "beside": {"30": 9.0, "600": 10.8, "grown": 1.2},
            "spread": {"highest": (180.0, 200.0), "beside": {"grown": (1.1, 1.3)}},
        },
    },
    "engine": {
        "traffic": {"commands": TRAFFIC, "events": TRAFFIC},
        "lag": {"rate": 95.0, "p99": 1.0},
        "memory": {"200": {"live": 200, "failed": 0, "engine": 13.0, "asterisk": 130.0}},
        "reload": {"numbers": 2000, "seconds": 1.4, "failed": 0, "setup_p50": 3.9, "setup_p99": 11.4},
    },
    "journal": {"durable_p50": 0.2, "durable_p99": 0.3, "burst": 138_000.0},
    "sounds": {"talk": SOUND, "recorded": SOUND, "message": SOUND},
    "records": {
        "drained": {"0": 8500.0, "100000": 8000.0},
        "claims": {"0": {"outbox": 0.5, "seal": 0.4}, "100000": {"outbox": 0.5, "seal": 0.6}},
        "asked": {"100000": {"one number's": 0.45}},
        "mailed": {"words": 300.0, "sound": 80.0},
    },
}  # fmt: skip


def test_a_call_is_what_both_ends_saw_of_it() -> None:
    caller = "+1 10.000000 500.000000 10.000000 502000.000000 10.0 700000.0 11.0 700000.0 11.0 702000.0\n"
    destination = "took +1 10.000000 503500.000000 10.000000 699000.000000 11.000000 701500.000000\n"
    (call,) = read_calls(caller, destination)
    assert call.setup == pytest.approx(503.0)
    assert call.answer == pytest.approx(1.0)
    assert call.goodbye == pytest.approx(1.5)
    assert call.release is None


def test_the_slowest_of_those_let_go_counts() -> None:
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


def test_a_goal_is_met_or_not() -> None:
    told = {goal.what: goal.met for goal in goals(RESULTS)}
    assert told["CPU of the engine"]
    assert not told["CPU of engine, worker and PostgreSQL"]
    assert not told["highest rate, of the dialplan's"]
    assert told["CPU of a call with 600 live, of that with 30"]


def test_the_door_has_a_goal_of_its_own() -> None:
    (door,) = [goal for goal in goals(RESULTS) if "the door alone" in goal.what]
    assert door.value == pytest.approx(0.7)
    assert not door.met


def test_a_table_says_how_far_the_turns_were_apart() -> None:
    assert "30: 9.0 ms, 600: 10.8 ms: x 1.20 (1.10 to 1.30)" in tables(RESULTS)
    assert "190 (180 to 200)" in tables(RESULTS)


def test_a_call_costs_what_its_own_processes_take_and_not_what_comes_after() -> None:
    told = {goal.what: goal for goal in goals(RESULTS)}
    recorded = told["CPU of a recorded call, of MixMonitor's"]
    assert recorded.value == pytest.approx(100 / 80)
    assert not recorded.met


def test_the_claim_that_many_records_slow_down_most_is_the_one_that_counts() -> None:
    told = {goal.what: goal for goal in goals(RESULTS)}
    slowest = told["the slowest claim with 100,000 records there, of that with none"]
    assert slowest.value == pytest.approx(1.5)
    assert not slowest.met
    assert told["calls drained with 100,000 records there, of that with none"].met


def test_the_goals_of_a_run_without_dialplan_cannot_be_told() -> None:
    assert goals({"systems": {"engine": RESULTS["systems"]["engine"]}}) == []


def test_the_plot_is_a_picture_of_every_system() -> None:
    picture = ElementTree.fromstring(plot(RESULTS))  # noqa: S314 - our own
    words = " ".join(filter(None, (text.text for text in picture.iter("{http://www.w3.org/2000/svg}text"))))
    assert "dialplan" in words
    assert "engine" in words
    points = [float(n) for line in picture.iter("{http://www.w3.org/2000/svg}polyline")
              for n in re.findall(r"[\d.]+", line.attrib["points"])]  # fmt: skip
    assert points
    assert all(0 <= point <= 720 for point in points)


def test_each_system_has_its_bars_and_the_longest_fits() -> None:
    picture = ElementTree.fromstring(bars(RESULTS))  # noqa: S314 - our own
    drawn = list(picture.iter("{http://www.w3.org/2000/svg}rect"))
    assert len([one for one in drawn if one.attrib["height"] == "18"]) == 3 * 2 * 2
    assert all(float(one.attrib.get("x", 0)) + float(one.attrib["width"]) <= 720 for one in drawn)


@pytest.mark.parametrize("highest", [0.7, 4.4, 11.0, 480.0])
def test_an_axis_has_a_handful_of_round_numbers(highest: float) -> None:
    assert 3 <= len(ticks(highest)) <= 11
    assert ticks(highest)[-1] <= highest


def test_the_page_gets_its_figures_and_keeps_its_words(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n\n{BEGIN}\nold figures\n{END}\n\nafter\n")
    fill(page, RESULTS)
    fill(page, RESULTS)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old figures" not in text
    assert text.count("abc1234") == 1


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("words\n")
    with pytest.raises(ValueError, match="lacks"):
        fill(page, RESULTS)
    assert page.read_text() == "words\n"


def test_all_rows_of_a_table_are_as_wide_as_its_head() -> None:
    for part in tables(RESULTS).strip().split("\n\n"):
        assert len({len(line) for line in part.splitlines()}) == 1


@pytest.mark.parametrize("media", [True, False])
@pytest.mark.parametrize("name", ["caller", "destination"])
def test_scenarios_are_xml_with_and_without_media(name: str, media: bool, tmp_path: Path) -> None:
    scenario = ElementTree.fromstring(written(name, tmp_path, media=media))  # noqa: S314 - our own
    assert (scenario.find("nop/action/exec") is not None) == media
