"""A number that is erased from a journal: every position and every other entry stays, no reader notices."""

from datetime import timedelta
from pathlib import Path

from journal.entries import CallStarted
from journal.follower import Follower
from journal.position import Position
from journal.reader import read
from journal.redaction import Redaction, apply, records
from journal.segment import segments
from journal.writer import Journal
from tests.store.calls import NOON, answered_call, call_id

CALLER, OTHER = "+32470998877", "+32470111222"
LATER = NOON + timedelta(days=1)
ALL = Position("9")  # after every segment


async def journal_of(folder: Path, *calls: list) -> None:  # type: ignore[type-arg]
    journal = await Journal.open(folder, "here", 16384)
    for entries in calls:
        *_, last = [journal.append(entry) for entry in entries]
        await last
    await journal.close()


def redaction(**facts: object) -> Redaction:
    told = {"spellings": [CALLER, CALLER[1:]], "until": LATER, "live": (), "spared": ()} | facts
    return Redaction(**told)  # type: ignore[arg-type]


def callers(folder: Path) -> list[str]:
    found = [record.entry for path in segments(folder) for record in read(path, is_closed=True).records]
    return [entry.caller for entry in found if isinstance(entry, CallStarted)]


def places(folder: Path) -> list[tuple[int, int, int]]:
    every = [record for path in segments(folder) for record in records(path)]
    return [(record.begin, record.end, record.seq) for record in every]


async def test_the_number_is_gone_and_every_record_is_where_it_was(tmp_path: Path) -> None:
    await journal_of(
        tmp_path, answered_call(1, caller=CALLER), answered_call(2), answered_call(3, caller=CALLER[1:])
    )
    before = places(tmp_path)
    changed = [path.stat().st_mtime_ns for path in segments(tmp_path)]
    found = redaction().find(tmp_path, ALL)
    assert (len(found.patches), found.left) == (2, 0)
    apply(found.patches)
    assert callers(tmp_path) == ["", OTHER, ""]
    assert places(tmp_path) == before
    assert [path.stat().st_mtime_ns for path in segments(tmp_path)] == changed
    assert redaction().find(tmp_path, ALL) == ([], 0)
    follower = Follower(tmp_path, Position())
    assert [call.call_id for call in follower.read()] == [call_id(1), call_id(2), call_id(3)]
    assert follower.damaged == set()


async def test_a_live_call_and_one_that_is_not_drained_have_to_wait(tmp_path: Path) -> None:
    await journal_of(tmp_path, answered_call(1, caller=CALLER))
    assert redaction(live=[call_id(1)]).find(tmp_path, ALL) == ([], 1)
    assert redaction().find(tmp_path, Position()) == ([], 1)


async def test_a_later_call_and_one_under_a_hold_are_left_alone(tmp_path: Path) -> None:
    await journal_of(tmp_path, answered_call(1, caller=CALLER))
    assert redaction(until=NOON).find(tmp_path, ALL) == ([], 0)
    assert redaction(spared=[call_id(1)]).find(tmp_path, ALL) == ([], 0)


async def test_a_call_in_a_checkpoint_loses_its_number(tmp_path: Path) -> None:
    start, *rest = answered_call(1, caller=CALLER)
    await journal_of(tmp_path, [start, *rest[:3]])
    await journal_of(tmp_path, rest[3:])
    first, last = segments(tmp_path)
    assert CALLER.encode() in last.read_bytes()
    apply(redaction().find(tmp_path, ALL).patches)
    assert CALLER.encode() not in first.read_bytes() + last.read_bytes()
    follower, ended = Follower(tmp_path, Position()), []
    while follower.has_more:
        ended += follower.read()
    (call,) = ended
    assert (call.unreadable, len(call.entries)) == (0, len(rest) + 1)


async def test_a_closed_segment_without_the_number_is_read_once(tmp_path: Path) -> None:
    await journal_of(tmp_path, answered_call(1))
    await journal_of(tmp_path, answered_call(2, caller=CALLER))
    first, last = segments(tmp_path)
    looking = redaction()
    apply(looking.find(tmp_path, ALL).patches)
    assert looking.clean == {first.name}
    assert looking.find(tmp_path, ALL) == ([], 0)
    assert looking.clean == {first.name, last.name}
    first.write_bytes(b"?")
    assert looking.find(tmp_path, ALL) == ([], 0)


async def test_damaged_bytes_and_their_copies_lose_it_too(tmp_path: Path) -> None:
    await journal_of(tmp_path, answered_call(1, caller=CALLER), answered_call(2))
    (path,) = segments(tmp_path)
    content = path.read_bytes()
    at = content.index(b'"caller":"+32470998877"')
    path.write_bytes(content[: at - 3] + b"?" + content[at - 2 :])
    (tmp_path / "damaged").mkdir()
    copy = tmp_path / "damaged" / "1-2.bin"
    copy.write_bytes(content)
    apply(redaction().find(tmp_path, ALL).patches)
    assert b"470998877" not in path.read_bytes() + copy.read_bytes()
    assert len(path.read_bytes()) == len(copy.read_bytes()) == len(content)
    assert callers(tmp_path) == [OTHER]
