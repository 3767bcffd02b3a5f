"""Calls as CEL has them: of plain, rotated, gzipped and copied files, each call once."""

import gzip
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal.cel_calls import CelCall, cel_calls, cel_events, cel_files

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
LONG_AGO = AT - timedelta(days=1)


def line(kind: str, seconds: float, channel: str, call: str, extra: str = "") -> bytes:
    at = (AT + timedelta(seconds=seconds)).timestamp()
    extra = extra.replace('"', '""')
    name = f"PJSIP/from0-{channel.rpartition('.')[2]:>08}"
    return f'"{kind}","{at:.6f}","{channel}","{call}","{name}","door","+32800123","{extra}"\n'.encode()


def call(n: int, seconds: float = 0, *, talk: float = 2) -> list[bytes]:
    """A call that a destination answers after 1 s, and which lasts so long."""
    caller, leg = f"dev-1.{2 * n}", f"dev-1.{2 * n + 1}"
    return [
        line("CHAN_START", seconds, caller, caller),
        line("RING", seconds + 0.1, caller, caller, '{"extra":"ring=1 dialled=+32800123"}'),
        line("CHAN_START", seconds + 0.2, leg, caller),
        line("ANSWER", seconds + 0.9, leg, caller),
        line("ANSWER", seconds + 1, caller, caller),
        line("HANGUP", seconds + 1 + talk, leg, caller, '{"hangupcause":16}'),
        line("HANGUP", seconds + 1 + talk, caller, caller, '{"hangupcause":16,"hangupsource":"x"}'),
    ]


def read(cel: Path, since: datetime = LONG_AGO) -> list[CelCall]:
    return cel_calls(cel_events(cel, since))


def talks(calls: list[CelCall]) -> list[tuple[str, float]]:
    return [(it.channel, it.talk.total_seconds()) for it in calls]


@pytest.fixture
def cel(tmp_path: Path) -> Path:
    return tmp_path / "Master.csv"


def test_a_call_has_the_instants_of_the_callers_own_channel(cel: Path) -> None:
    cel.write_bytes(b"".join(call(1)))
    (found,) = read(cel)
    assert (found.channel, found.number, found.began) == ("dev-1.2", "+32800123", AT)
    assert found.answered == AT + timedelta(seconds=1)
    assert found.talk == timedelta(seconds=2)
    assert found.taken_in
    assert found.refused == ""


def test_a_live_call_has_no_end_and_no_duration(cel: Path) -> None:
    cel.write_bytes(b"".join(call(1)[:5]))
    (found,) = read(cel)
    assert (found.ended, found.talk) == (None, timedelta(0))


def test_a_call_that_the_dialplan_refused_says_why(cel: Path) -> None:
    refused = [
        line("CHAN_START", 0, "dev-1.2", "dev-1.2"),
        line("REFUSED", 0, "dev-1.2", "dev-1.2", '{"extra":"dialled=+32800123 why=trunk"}'),
        line("HANGUP", 0, "dev-1.2", "dev-1.2", '{"hangupcause":34,"hangupsource":"dialplan/builtin"}'),
    ]
    guarded = [
        line("CHAN_START", 1, "dev-1.4", "dev-1.4"),
        line("HANGUP", 1, "dev-1.4", "dev-1.4", '{"hangupcause":21,"hangupsource":"dialplan/builtin"}'),
    ]
    cel.write_bytes(b"".join([*refused, *guarded]))
    assert [it.refused for it in read(cel)] == ["trunk", "guard"]


def test_rotated_and_gzipped_files_are_read_too(cel: Path) -> None:
    with gzip.open(cel.with_name("Master.csv-20261124.gz"), "wb") as file:
        file.write(b"".join(call(1)[:3]))
    cel.with_name("Master.csv.2").write_bytes(b"".join(call(1)[3:]))
    cel.write_bytes(b"".join(call(2, 10)))
    cel.with_name("Master.csv.draft.json").mkdir()
    assert talks(read(cel)) == [("dev-1.2", 2.0), ("dev-1.4", 2.0)]
    assert cel_files(cel)[-1] == cel


def test_a_call_in_two_copies_of_a_file_is_one_call(cel: Path) -> None:
    cel.write_bytes(b"".join([*call(1), *call(2, 5)]))
    shutil.copy(cel, cel.with_name("Master.csv.1"))
    assert talks(read(cel)) == [("dev-1.2", 2.0), ("dev-1.4", 2.0)]


def test_a_channel_id_that_comes_again_is_another_call(cel: Path) -> None:
    cel.write_bytes(b"".join([*call(1), *call(1, 3600, talk=4)]))
    assert talks(read(cel)) == [("dev-1.2", 2.0), ("dev-1.2", 4.0)]


@pytest.mark.parametrize("damage", [b"\0" * 300, b"garbage", b'"HANGUP","17957', b"\xff" * 9000])
def test_damage_costs_the_line_that_it_hit(cel: Path, damage: bytes) -> None:
    cel.write_bytes(b"".join(call(1)) + damage + b"\n" + b"".join(call(2, 5)))
    assert talks(read(cel)) == [("dev-1.2", 2.0), ("dev-1.4", 2.0)]


def test_of_a_damaged_gzip_file_what_stands_before_the_damage_counts(cel: Path) -> None:
    whole = gzip.compress(b"".join(b"".join(call(n, n)) for n in range(200)))
    cel.with_name("Master.csv.1.gz").write_bytes(whole[: len(whole) // 2])
    cel.write_bytes(b"".join(call(500, 500)))
    found = read(cel)
    assert len(found) > 20
    assert found[-1].channel == "dev-1.1000"


def test_lines_of_before_are_left_out(cel: Path) -> None:
    cel.write_bytes(b"".join([*call(1), *call(2, 60)]))
    assert [it.channel for it in read(cel, AT + timedelta(seconds=30))] == ["dev-1.4"]
