"""What an operator reads of a menu: explain, expect, and the path of a past call."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.commands.explain import command as explain
from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from dialplan.result import Outcome
from storage.retracing import Known, PastStep, retrace
from tests.unit.fake_dial import now
from tests.unit.folders import NUMBER, good_folder
from tests.unit.routes import service_number
from tests.unit.test_menu import ROUTE
from tests.unit.test_past_call import past


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's clock is Asterisk's."""
    monkeypatch.setattr("engine.call.now", now)


# What operators read.

TEXT = """\
  - menu:
      prompt: welcome
      keys: {1: [hangup: busy], 2: [{menu: {prompt: welcome, keys: {5: [announce: welcome]}}}]}
"""


def folder(root: Path, more: str = "") -> Path:
    number = good_folder(root) / "numbers" / "main.yaml"
    number.write_text(NUMBER.replace("route:\n", f"route:\n{TEXT}") + more)
    return root


def test_explain_prints_what_was_pressed(tmp_path: Path) -> None:
    options = ["--press", "2", "--press", "*", "--press", "1", "--press", "7"]
    printed = CliRunner().invoke(explain, [str(folder(tmp_path)), "+3270012345", *options]).output
    assert "  1  menu      welcome, keys 1 2 -> 2\n  2  menu      welcome, keys 5 -> *\n" in printed
    assert "  3  menu      welcome, keys 1 2 -> 1\n  4  hangup    busy\n" in printed
    assert "not used: --press 7; there are fewer menus than that" in printed
    data = json.loads(CliRunner().invoke(explain, [str(tmp_path), "+3270012345", "--format", "json"]).output)
    assert data["path"][0]["settings"] == {
        "prompt": "welcome",
        "languages": {},
        "seconds": 5,
        "tries": 3,
        "answer": False,
    }
    assert data["path"][0]["outcome"] == "timeout"


def test_explain_refuses_what_nobody_can_press(tmp_path: Path) -> None:
    done = CliRunner().invoke(explain, [str(folder(tmp_path)), "+3270012345", "--press", "one"])
    assert (done.exit_code, "is not what a caller presses" in done.output) == (2, True)


def test_expect_presses_keys(tmp_path: Path) -> None:
    assert load(
        folder(tmp_path / "a", "expect:\n  - {at: 2026-11-24 10:00, presses: [2, 5], ends: no_answer}\n"),
        Policy(),
    )
    with pytest.raises(ConfigErrors, match="expected 2 menus, got 1; write one entry for each menu heard"):
        load(folder(tmp_path / "b", "expect:\n  - {at: 2026-11-24 10:00, presses: [1, 5]}\n"), Policy())


def test_a_past_call_went_where_its_keys_led() -> None:
    number = service_number(ROUTE)
    path = retrace(past("no_answer", choices=("2", "*", "1")), number).path
    steps = [(step.step.step, step.outcome, step.known) for step in path if isinstance(step, PastStep)]
    assert steps == [
        ("menu", "2", Known.CHOICE),
        ("menu", "*", Known.CHOICE),
        ("menu", "1", Known.CHOICE),
        ("announce", Outcome.DONE, Known.SUPPOSED),
    ]


@pytest.mark.parametrize(("outcome", "known"), [("abandoned", Known.LEFT), ("busy", Known.NOT)])
def test_a_past_call_without_choices_goes_no_further_than_the_menu(outcome: str, known: Known) -> None:
    told = retrace(past(outcome), service_number(ROUTE))
    (step,) = told.path
    assert isinstance(step, PastStep)
    assert (step.outcome, step.known, told.result) == (None, known, None)
