"""Failpoints: nothing by default, exactly what was asked otherwise."""

import errno
from itertools import count
from pathlib import Path

import pytest

from journal import fault
from journal.fault import Failpoint, Fault, parse, point


@pytest.fixture
def armed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault, "_armed", Failpoint("disk", 3, "raise"))
    monkeypatch.setattr(fault, "_passings", count(1))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("drain.after_commit", Failpoint("drain.after_commit", 1, "kill")),
        ("a:2", Failpoint("a", 2, "kill")),
        ("a:raise", Failpoint("a", 1, "raise")),
        ("a:7:sleep=0.5", Failpoint("a", 7, "sleep=0.5")),
        ("a:3+:raise", Failpoint("a", 3, "raise", lasts=True)),
        ("a:full", Failpoint("a", 1, "full")),
        ("a:2:stop", Failpoint("a", 2, "stop")),
    ],
)
def test_a_failpoint_is_a_name_a_passing_and_an_action(text: str, meant: Failpoint) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize("text", ["", ":2", "a:0", "a:+", "a:explode", "a:1:kill:twice", "a:kill:1"])
def test_one_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write name"):
        parse(text)


@pytest.mark.usefixtures("armed")
def test_only_the_nth_passing_of_that_point_breaks() -> None:
    for _ in range(5):
        point("network")
    point("disk")
    point("disk")
    with pytest.raises(Fault, match="failpoint disk"):
        point("disk")
    point("disk")


def test_one_that_lasts_breaks_every_later_passing_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault, "_armed", Failpoint("disk", 2, "raise", lasts=True))
    monkeypatch.setattr(fault, "_passings", count(1))
    point("disk")
    for _ in range(3):
        with pytest.raises(Fault):
            point("disk")


def test_a_full_disk_is_known_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault, "_armed", Failpoint("disk", 1, "full"))
    monkeypatch.setattr(fault, "_passings", count(1))
    with pytest.raises(Fault) as raised:
        point("disk")
    assert raised.value.errno == errno.ENOSPC


def test_a_file_arms_one_point_after_the_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "failpoint"
    monkeypatch.setattr(fault, "_file", file)
    point("disk")
    file.write_text("disk:raise")
    point("network")
    with pytest.raises(Fault):
        point("disk")
    file.write_text("network:raise")
    point("disk")
    with pytest.raises(Fault):
        point("network")
    file.write_text("")
    point("network")
