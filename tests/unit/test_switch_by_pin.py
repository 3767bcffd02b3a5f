"""`switch_by_pin`: who has the PIN puts a switch on and hears it, nobody else; nothing contains the PIN."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from cli.commands.pin import command
from config.switches import read_all
from engine import pins
from engine.pin_tries import LOCKED_SECONDS
from engine.pins import Pins, objection
from engine.switches import FILE, Switches
from journal.entries import Answered, StepPerformed
from tests.unit.fake_services import FakeCallServices, attend
from tests.unit.fakes import FakeLine
from tests.unit.stories import terms_of

PIN, NUMBER, CALLER = "481516", "+3270012345", "+32470111222"
STEP = {"name": "closed", "ask": "enter-pin", "on": "now-closed", "off": "open-again"}


async def performed(*entries: str, **settings: Any) -> tuple[FakeLine, FakeCallServices]:
    """A call in which the caller enters these, one every six seconds."""
    services = FakeCallServices(terms_of([{"switch_by_pin": STEP | settings}]))
    line = FakeLine({}, presses=[(1 + 6 * n, entry) for n, entry in enumerate(entries)])
    await attend(line, services)
    return line, services


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("entries", "choice"),
    [
        (["481516#"], "on"),
        (["481516"], "on"),
        (["111111#", "481516#"], "on"),
        (["1#", "2#", "3#", "481516#"], "refused"),
        ([], "refused"),
    ],
)
async def test_three_tries_and_a_confirmation(entries: list[str], choice: str) -> None:
    line, services = await performed(*entries)
    (step,) = services.of(StepPerformed)
    assert step.choice == choice
    assert ("now-closed" in line.heard, bool(services.put)) == (choice == "on", choice == "on")
    assert services.of(Answered)
    assert not [entry for entry in services.entries if PIN in f"{entry}"]


@pytest.mark.looptime
async def test_the_switch_is_that_of_the_number_or_of_its_owner() -> None:
    _, services = await performed("481516#", hours="3")
    assert services.put[0][:3] == (NUMBER, "closed", 3)
    _, services = await performed("481516#", of="owner")
    assert services.put[0][:3] == ("acme", "closed", 12)


# The PINs of a node.


def test_the_pin_of_the_number_counts_before_that_of_the_owner(tmp_path: Path) -> None:
    known = Pins(tmp_path)
    assert not known.is_right(PIN, NUMBER, "acme", CALLER)
    pins.write(tmp_path, "acme", "271828", "ops")
    assert known.is_right("271828", NUMBER, "acme", CALLER)
    pins.write(tmp_path, NUMBER, PIN, "ops")
    assert known.is_right(PIN, NUMBER, "acme", CALLER)
    assert not known.is_right("271828", NUMBER, "acme", CALLER)
    pins.write(tmp_path, NUMBER, None, "ops")
    assert known.is_right("271828", NUMBER, "acme", CALLER)


def test_after_ten_wrong_pins_none_is_accepted_for_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(pins, "monotonic", lambda: now[0])
    pins.write(tmp_path, NUMBER, PIN, "ops")
    known = Pins(tmp_path)
    with capture_logs() as logs:
        for _ in range(9):
            assert not known.is_right("000000", NUMBER, "acme", CALLER)
        assert known.is_right(PIN, NUMBER, "acme", CALLER)
        for _ in range(10):
            assert not known.is_right("999999", NUMBER, "acme", CALLER)
        assert not known.is_right(PIN, NUMBER, "acme", CALLER)
        now[0] += LOCKED_SECONDS
        assert known.is_right(PIN, NUMBER, "acme", CALLER)
    assert {(entry["event"], entry["why"]) for entry in logs} == {
        ("pin_refused", "wrong"),
        ("pin_refused", "caller locked"),
    }
    assert not [word for word in (PIN, "000000", "999999") if word in f"{logs}"]


def test_the_files_are_of_one_user_and_have_no_pin(tmp_path: Path) -> None:
    pins.write(tmp_path, NUMBER, PIN, "ops")
    files = {file.name: file for file in tmp_path.iterdir()}
    assert set(files) == {pins.FILE, pins.KEY_FILE}
    assert {file.stat().st_mode & 0o777 for file in files.values()} == {0o600}
    text = files[pins.FILE].read_text()
    assert PIN not in text
    other = tmp_path / "other"
    other.mkdir()
    pins.write(other, NUMBER, PIN, "ops")
    assert json.loads((other / pins.FILE).read_text())[NUMBER]["hash"] not in text


@pytest.mark.parametrize("text", ["", "[]", "{", '{"+3270012345": 1}', '{"+3270012345": {}}'])
def test_a_damaged_file_accepts_no_pin(tmp_path: Path, text: str) -> None:
    pins.write(tmp_path, NUMBER, PIN, "ops")
    (tmp_path / pins.FILE).write_text(text)
    assert not Pins(tmp_path).is_right(PIN, NUMBER, "acme", CALLER)


@pytest.mark.parametrize(
    "pin", ["12345", "1234567890123", "48151a", "111111", "123456", "987654", "890123", ""]
)
def test_short_and_guessable_pins_are_refused(pin: str) -> None:
    assert objection(pin)


def test_the_command_sets_and_removes_a_pin_that_is_in_no_argument(tmp_path: Path) -> None:
    settings = f'state = "{tmp_path}"\nrouting = "{tmp_path}/routing"\ndatabase = "postgresql://x"\n'
    (tmp_path / "callengine.toml").write_text(settings)
    arguments = [NUMBER, "--state", str(tmp_path), "--by", "ops"]
    reply = CliRunner().invoke(command, arguments, input=f"{PIN}\n")
    assert (reply.exit_code, f"{NUMBER}: the PIN is set\n" in reply.output) == (0, True), reply.output
    assert Pins(tmp_path).is_right(PIN, NUMBER, "acme", CALLER)
    assert CliRunner().invoke(command, arguments, input="123456\n").exit_code == 1
    assert CliRunner().invoke(command, [*arguments, "--off"]).exit_code == 0
    assert not Pins(tmp_path).is_right(PIN, NUMBER, "acme", CALLER)


def test_a_switch_that_is_put_by_a_call_goes_on_and_off_and_says_who(tmp_path: Path) -> None:
    switches, later = Switches(tmp_path / FILE), datetime.now(UTC) + timedelta(hours=3)
    assert switches.put(NUMBER, "closed", later, "call 0199") is True
    assert switches.on(NUMBER, "acme", datetime.now(UTC)) == ("closed",)
    assert switches.put(NUMBER, "closed", later, "call 0200") is False
    assert switches.on(NUMBER, "acme", datetime.now(UTC)) == ()
    lines = read_all(tmp_path / FILE)
    assert [(line.by, line.until is not None, line.reason) for line in lines] == [
        ("call 0199", True, "by a call with the PIN"),
        ("call 0200", False, "by a call with the PIN"),
    ]
