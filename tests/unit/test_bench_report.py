"""What the benchmark makes of its figures: goals, tables, pictures and its page."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.bars import bars
from bench.goals import goals
from bench.page import BEGIN, END, fill
from bench.plot import plot, ticks
from bench.tables import tables

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
