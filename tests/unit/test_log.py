"""The log: one valid JSON line whatever comes in, and never a caller's number or a password."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from process.log import LONGEST, PRIORITIES, configure, redact

CANARY = "32470111222"
CALL = "0190f5c2-1234-7567-8901-123456789012"

type Lines = list[str]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged in a test; afterwards logging is as it was."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    written: Lines = []
    configure("info", written.append)
    yield written
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)


def only(lines: Lines) -> dict[str, Any]:
    """The one line that was written, as its reader sees it."""
    (text,) = lines
    assert "\n" not in text, "one event, one line"
    assert text.isascii(), "nothing in it moves a terminal's cursor or turns its text around"
    told = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert isinstance(told, dict)
    return told


def test_a_line_has_its_instant_in_utc_its_level_and_the_call_it_belongs_to(lines: Lines) -> None:
    structlog.contextvars.bind_contextvars(call=CALL)
    structlog.get_logger().info("leg answered", leg=f"{CALL}-b1")
    told = only(lines)
    assert told.pop("at").endswith("Z")
    assert told == {"event": "leg answered", "level": "info", "call": CALL, "leg": f"{CALL}-b1"}


def test_each_line_begins_with_the_priority_of_its_level_where_journald_reads_it() -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    written: Lines = []
    configure("debug", written.append, PRIORITIES)
    try:
        log = structlog.get_logger()
        for write in (log.debug, log.info, log.warning, log.error, log.critical, log.exception):
            write("told")
        logging.getLogger("aiohttp").warning("told")
    finally:
        structlog.reset_defaults()
        root.handlers[:] = before
        root.setLevel(level)
    assert [line[:3] for line in written] == ["<7>", "<6>", "<4>", "<3>", "<2>", "<3>", "<4>"]
    assert {json.loads(line[3:])["event"] for line in written} == {"told"}


HOSTILE = [
    "\r\nEvil: header",
    '"\x1b[31mred\x1b[0m\x07',
    "\u202egnp.exe",
    "\u2028new line",
    "\x00",
    "\ud800 alone",
    b"\xff\xfe bytes",
    "x" * 10_000,
    '"}\n{"event": "forged"}',
    float("nan"),
    {"deep": ["\r\n", {"deeper": b"\xff"}]},
    object,
]


@pytest.mark.parametrize("value", HOSTILE, ids=[str(n) for n in range(len(HOSTILE))])
def test_hostile_text_makes_one_valid_line(lines: Lines, value: object) -> None:
    structlog.get_logger().warning("odd caller", name=value)
    assert only(lines)["event"] == "odd caller"


@given(st.recursive(st.text() | st.binary() | st.floats() | st.integers() | st.none(), st.lists))
def test_whatever_the_value_it_becomes_plain_json_of_bounded_length(value: object) -> None:
    told = redact(None, "info", {"event": value})
    text = json.dumps(told, allow_nan=False)
    assert json.loads(text) == told


def test_a_long_value_is_cut_and_says_how_long_it_was(lines: Lines) -> None:
    structlog.get_logger().info("name", name="x" * 10_000)
    assert only(lines)["name"] == "x" * LONGEST + "... (10000 characters)"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (CANARY, "***"),
        (f"+{CANARY}", "***"),
        (f"00{CANARY}", "***"),
        (f"sip:+{CANARY}@203.0.113.1", "sip:***@203.0.113.1"),
        (f"sip:%2B{CANARY}@h", "sip:%2B***@h"),
        ("+32 470 11 12 22", "***"),
        ("+32 (470) 11.12-22", "***"),
        (f"a={CANARY},b={CANARY}", "a=***,b=***"),
        (f"{CALL} {CANARY}", f"{CALL} ***"),
        ("٣٢٤٧٠١١١٢٢٢", "***"),
    ],
)
def test_no_number_is_left_in_a_value(lines: Lines, written: str, told: str) -> None:
    structlog.get_logger().info("trouble", text=written, nested={"deep": [written]}, raw=written.encode())
    line = only(lines)
    assert (line["text"], line["nested"], line["raw"]) == (told, {"deep": [told]}, told)


def test_no_number_is_left_in_the_event_itself(lines: Lines) -> None:
    structlog.get_logger().info(f"call from +{CANARY}")
    assert only(lines)["event"] == "call from ***"


def test_a_destination_is_told_just_enough_to_be_recognised(lines: Lines) -> None:
    structlog.get_logger().info("dialled", to="+32470111222", number="+3270012345")
    told = only(lines)
    assert told["to"] == "+3247*****22"
    assert told["number"] == "+3270012345", "a service number is public"


def test_the_file_of_an_error_is_told_though_it_is_called_as_its_number(lines: Lines) -> None:
    structlog.get_logger().error("routing_refused", file="numbers/3280012345.yaml:3:5")
    assert only(lines)["file"] == "numbers/3280012345.yaml:3:5"


def test_a_segment_of_the_journal_is_told_by_its_name(lines: Lines) -> None:
    structlog.get_logger().info("journal segment swept", segment="1795517576-000001.wal")
    assert only(lines)["segment"] == "1795517576-000001.wal"


def test_ids_are_kept_whole_wherever_they_stand(lines: Lines) -> None:
    structlog.get_logger().info("bridged", bridge=f"{CALL}-br", text=f"in {CALL}-b1: gone")
    told = only(lines)
    assert (told["bridge"], told["text"]) == (f"{CALL}-br", f"in {CALL}-b1: gone")


@pytest.mark.parametrize(
    "key", ["password", "ARI_PASSWORD", "secret", "Authorization", "events_password", "api_token"]
)
def test_no_secret_is_told(lines: Lines, key: str) -> None:
    structlog.get_logger().info("settings", **{key: "hunter2"}, nested={key: "hunter2"})
    assert "hunter2" not in "".join(lines)
    assert only(lines)[key] == "[secret]"


def test_a_password_inside_an_address_is_not_told(lines: Lines) -> None:
    structlog.get_logger().info("database", address="postgresql://engine:hunter2@db.example/calls")
    assert only(lines)["address"] == "postgresql://engine:***@db.example/calls"


def test_an_exception_is_told_without_locals_and_without_numbers(lines: Lines) -> None:
    def fail(caller: str) -> None:
        raise ValueError(f"no route for {caller}")

    try:
        fail(f"+{CANARY}")
    except ValueError:
        structlog.get_logger().exception("call failed")
    told = only(lines)
    assert told["exception"][0]["exc_value"] == "no route for ***"
    assert [set(frame) for frame in told["exception"][0]["frames"]] == [{"filename", "lineno", "name"}] * 2
    assert CANARY not in "".join(lines)


def test_libraries_log_the_same_lines(lines: Lines) -> None:
    structlog.contextvars.bind_contextvars(call=CALL)
    logging.getLogger("aiohttp.server").error("bad request from %s", f"+{CANARY}")
    told = only(lines)
    assert (told["event"], told["level"], told["call"]) == ("bad request from ***", "error", CALL)


class Unspeakable:
    """A value that raises when it is made text."""

    def __str__(self) -> str:
        raise RuntimeError(CANARY)


def test_a_value_that_cannot_be_made_text_costs_its_line_and_nothing_else(lines: Lines) -> None:
    structlog.get_logger().info("leg answered", leg=Unspeakable())
    told = only(lines)
    assert told.pop("at")
    assert told == {
        "event": "log_line_unrendered",
        "level": "error",
        "of": "leg answered",
        "error": "RuntimeError",
    }


def test_a_value_without_end_costs_its_line_and_nothing_else(lines: Lines) -> None:
    endless: list[object] = []
    endless.append(endless)
    structlog.get_logger().info(f"call from +{CANARY}", what=endless)
    told = only(lines)
    assert (told["event"], told["of"]) == ("log_line_unrendered", "?")


def test_a_library_that_logs_nonsense_costs_its_line_and_nothing_else(lines: Lines) -> None:
    record = logging.LogRecord("aiohttp", logging.ERROR, "", 0, "%d calls", ("many",), None)
    (ours,) = [it for it in logging.getLogger().handlers if type(it).__module__ == "process.log"]
    ours.handle(record)  # not by the logger: it has handlers of the tests' own, which raise
    assert only(lines)["of"] == "aiohttp"


def test_what_is_below_the_level_is_not_written(lines: Lines) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("asyncio").info("detail")
    assert lines == []
