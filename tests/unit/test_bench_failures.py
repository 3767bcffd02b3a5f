"""Why a call of the benchmark failed: from SIPp's logs at both ends, and the system's own records."""

from pathlib import Path
from typing import Any

import pytest

from bench.calls import Failure, Load
from bench.failures import Logs, kinds_of, read_failures, read_retransmissions
from bench.known import FIRST, note
from bench.sipp import Ends
from bench.systems import System
from bench.tables import figures_of_failures

# As SIPp 3.8 wrote them: each call to a server that treated it in its own way.
UNEXPECTED = """\
2026-11-29\t00:19:{at}\t1795911571.{at}: Continuing call on unexpected message for Call-Id \
'{n}-1322@127.0.0.1': while expecting '100' (index 2), received 'SIP/2.0 503 Service Unavailable\r
Via: SIP/2.0/UDP 127.0.0.1:35987;branch=z9hG4bK-1322-2-1\r
Call-ID: 13af4bbd49364844a08b9e47fe21004b///{n}-1322@127.0.0.1\r
'
"""
TIMEOUT = """\
2026-11-29\t00:19:36.526494\t1795911576.526494: Call-Id: {n}-1322@127.0.0.1, receive timeout on message \
caller:{index} without label to jump to (ontimeout attribute): aborting call
"""
BYE = """\
2026-11-29\t00:19:36.526494\t1795911576.526494: Continuing call on unexpected message for Call-Id \
'{n}-1322@127.0.0.1': while pausing (index 8), received 'BYE sip:caller@127.0.0.1:35987 SIP/2.0\r
'
"""


def began(*numbers: int) -> str:
    return "".join(f"began +32470000{n} 1795911571.000000 319300.000000\n" for n in numbers)


def failures(
    placed: int, errors: str, lines: str, rang: str = "", succeeded: str = ""
) -> tuple[Failure, ...]:
    return read_failures(placed, succeeded.split(), Logs(lines, errors), Logs(rang), 5.0)


def test_a_refused_call_has_the_status_and_when_it_came() -> None:
    errors = UNEXPECTED.format(n=1, at="323300") + UNEXPECTED.format(n=1, at="824900")
    (call,) = failures(1, errors, began(1))
    assert (call.caller, call.saw) == ("+324700001", "503 Service Unavailable")
    assert call.after == pytest.approx(0.004, abs=1e-5), "the first time counts, not a retransmission"
    assert call.rang is None


@pytest.mark.parametrize(
    ("index", "saw"),
    [
        (2, "no reply to the INVITE in 5 s"),
        (3, "100, then no answer in 5 s"),
        (4, "180, then no answer in 5 s"),
        (5, "183, then no answer in 5 s"),
        (10, "no reply to the BYE in 5 s"),
    ],
)
def test_a_call_that_waits_too_long_names_the_missing_step(index: int, saw: str) -> None:
    (call,) = failures(1, TIMEOUT.format(n=1, index=index), began(1))
    assert call.saw == saw
    assert call.after == pytest.approx(5.207194, abs=1e-5)


def test_a_call_that_the_other_side_ends_names_its_request() -> None:
    (call,) = failures(1, BYE.format(n=1), began(1))
    assert call.saw == "BYE of the other side, while pausing"


def test_an_unknown_error_is_told_without_what_differs_from_call_to_call() -> None:
    line = "2026-11-29\t00:19:36\t1795911576.5: Call-Id: {n}-7@127.0.0.1, no socket left\n"
    calls = failures(2, line.format(n=1) + line.format(n=2), began(1, 2))
    assert kinds_of(calls) == {"Call-Id: CALL, no socket left": 2}


def test_a_failed_call_says_whether_its_destination_rang() -> None:
    rang = (
        "rang +324700001 1795911571.000000 322300.000000\nrang +324700001 1795911571.000000 900000.000000\n"
    )
    (call,) = failures(1, TIMEOUT.format(n=1, index=10), began(1), rang)
    assert call.rang == pytest.approx(0.003, abs=1e-5)


def test_a_call_without_an_error_failed_too() -> None:
    lines = began(2, 3) + "+324700003 1795911571.000000 319300.000000 0 0 1795911571.0 4.0 17\n"
    assert [call.saw for call in failures(3, "", lines)] == [
        "SIPp did not place it",
        "no end while measured",
        "nothing wrong, but the log of one end has no end of it",
    ]
    assert failures(1, "", began(1), succeeded="+324700001") == ()


def test_retransmissions_are_counted_at_both_ends() -> None:
    head = "CurrentTime;ElapsedTime;1_INVITE_Sent;1_INVITE_Retrans;5_200_Recv;5_200_Retrans;\n"
    counts = f"{head}x;y;0;0;0;0;\nx;y;8;10;3;0;\n"
    counted = read_retransmissions({"caller": Logs("", counts=counts), "destination": Logs("")})
    assert counted == {"INVITE at the caller": 10}


def test_the_logs_of_an_end_are_there_even_if_nothing_went_wrong(tmp_path: Path) -> None:
    (tmp_path / "caller.log").write_text("lines")
    assert Logs.of(tmp_path, "caller") == Logs("lines")
    (tmp_path / "caller.errors").write_text("errors")
    (tmp_path / "caller_1322_counts.csv").write_text("counts")
    assert Logs.of(tmp_path, "caller") == Logs("lines", "errors", "counts")


def load(failed: int) -> Load:
    calls = tuple(Failure(f"+32470000{n}", "486 Busy Here", 0.004, None, 1.0) for n in range(1, failed + 1))
    return Load(50, 700, (), calls, {"INVITE at the caller": 2})


async def test_the_first_of_the_failed_calls_are_told_with_what_the_dialplan_knows(tmp_path: Path) -> None:
    cdr = tmp_path / "log" / "cdr-custom" / "Master.csv"
    cdr.parent.mkdir(parents=True)
    cdr.write_text('"+324700001","+32800000001","a","","b","NO ANSWER","1.1"\n')
    system = System(Ends("", ""), {}, tmp_path)
    await note(system, "50 calls/s", load(0))
    assert system.failures == []
    await note(system, "50 calls/s", load(100))
    (noted,) = system.failures
    assert noted["kinds"] == {"486 Busy Here": 100}
    assert len(noted["calls"]) == FIRST
    assert noted["calls"][:2] == [
        "+324700001: 486 Busy Here 0.004 s after its INVITE; destination: no INVITE; CDR: NO ANSWER",
        "+324700002: 486 Busy Here 0.004 s after its INVITE; destination: no INVITE; no CDR",
    ]


def test_the_tables_have_them_only_if_there_were_any() -> None:
    load: dict[str, Any] = {
        "where": "one of 10,000 numbers changed, 50 calls/s", "placed": 700, "failed": 1,
        "kinds": {"486 Busy Here": 1}, "retransmitted": {}, "calls": ["+324700001: 486 Busy Here"],
    }  # fmt: skip
    results: dict[str, Any] = {"systems": {"engine": {}}, "sounds": {}, "engine": {}}
    assert figures_of_failures(results) == ""
    text = figures_of_failures(results | {"engine": {"failures": [load]}})
    assert "| 1 of 700 | 486 Busy Here: 1" in text
    assert "engine, one of 10,000 numbers changed, 50 calls/s, the first 1:\n\n- +324700001: 486" in text
