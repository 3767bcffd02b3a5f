"""Recordings survive whatever is killed, and go when they must: the whole service, real calls, a real bucket.

KILLS=n: so many kills, of engine, worker, Asterisk, PostgreSQL (its immediate shutdown) and object store, at
random moments of calls beside each other. What is killed comes back by itself. Two owners: one keeps for
years, the other's deadlines pass within seconds of a call's end. With -s it shows what there was.
"""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import numpy as np
import pytest
from click.testing import CliRunner

from config.settings import load_settings
from engine.__main__ import main
from engine.dev.audio import RATE, Samples, alaw, levels, tone, write_wav
from engine.dev.carrier import Answers, Carrier, carrier
from engine.dev.children import alive
from engine.dev.handset import CallOver, Handset
from engine.dev.parts import ended
from engine.dev.phones import Identity, Phones, phones, shown
from engine.dev.ports import reserve_ports
from engine.keeping import objects_of, vault_of
from journal.fault import VARIABLE
from storage.safe import Safe, SoundGone
from tests.live.conversation import hear_each_other
from tests.live.mails import from_alaw, probes, speech
from tests.live.recordings import of_kind, recorded_number
from tests.live.service import Json, Service, journalled, new_caller, until
from tests.live.test_dev import Dev, running_dev
from tests.live.test_voicemail_killed import kill as kill_part
from tests.store.conversations import heard
from tests.store.keeping import dump

KILLS = int(os.environ.get("KILLS", "5"))
LINES = 4  # calls beside each other
PARTS = ("engine", "worker", "asterisk", "postgres", "seaweed")
SECONDS_BETWEEN = 2.5  # kills, on an average
AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

KEEPER, FLEETING = "keeper", "fleeting"
CALLER_HZ, DESTINATION_HZ, NOTICE_HZ = 880, 1000, 760
# What every caller and every destination says in the middle of its tones; looked for in the end.
ASKED, REPLIED = speech(1.0, 3), speech(1.0, 40)
LOOKED_FOR = [piece for said in (ASKED, REPLIED) for piece in probes(said).values()]

LOST_BY_ASTERISK = 2.05  # s that it has not written yet when it is killed
TO_BE_TALKING = 1.5  # s from the first sample until each has heard the other, and begins
SLACK = 0.5  # s from `rec_start` to the first sample, and what a busy machine is late by
PRESENT, ABSENT = 0.1, 0.03
HEARD = 0.3  # of what was to be said, at least: telephones on a busy machine stutter
ON_TIME = 60  # s

# Owners keep for an hour at least. Of this one that hour is over at once, wherever the sound is by then.
HURRY = """
UPDATE audio SET destroy_after = now() + interval '1 second' * $1::float8
WHERE owner = $2 AND destroy_after > now() + interval '1 minute' AND state IN ('recorded', 'stored')
"""
ROWS = "SELECT audio_id, owner, state, why, seconds::float8 AS seconds FROM audio WHERE kind = 'recording'"
GIVE_UP = """
UPDATE audio SET noted_at = noted_at - interval '11 minutes', next_at = now()
WHERE audio_id = $1 AND state = 'recorded' AND attempts > 1 AND noted_at > now() - interval '10 minutes'
"""
STONES = "SELECT audio_id, destroyed_at - destroy_after AS late FROM tombstone"


Rows = Mapping[str, asyncpg.Record]  # by the recording's id


@dataclass(frozen=True)
class Kill:
    """A part was killed at an instant, and is back."""

    part: str
    at: datetime
    back: datetime


@dataclass
class Field:
    """Where it takes place: a run of `callengine dev`, telephones at both ends of it, and who was killed."""

    dev: Dev
    telephones: Phones
    network: Carrier
    kills: list[Kill] = field(default_factory=list)
    hung_up: list[tuple[str, datetime]] = field(default_factory=list)  # calls to which number, and when
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def sip(self) -> str:
        return str(self.dev.endpoints()["sip"])

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection]:
        con = await asyncpg.connect(self.dev.endpoints()["database"], timeout=5, command_timeout=10)
        try:
            yield con
        finally:
            con.terminate()

    def journal(self) -> dict[str, list[Json]]:
        """What it says of each call, by its id."""
        calls: dict[str, list[Json]] = {}
        for entry in journalled(self.dev.state / "journal"):
            if "call" in entry:
                calls.setdefault(entry["call"], []).append(entry)
        return calls

    def recorded(self) -> dict[str, list[Json]]:
        """The calls that were begun to be recorded, by the recording's id."""
        calls = self.journal().values()
        starts = ((entry, call) for call in calls for entry in call if entry["kind"] == "rec_start")
        return {entry["audio"]: call for entry, call in starts}


def write_routing(folder: Path) -> None:
    """A number for each line and owner, and a telephone of its own behind each."""
    for name in ("owners", "numbers", "prompts"):
        (folder / name).mkdir(parents=True)
    write_wav(folder / "prompts" / "notice.wav", tone((NOTICE_HZ,), RATE // 2))
    for owner, keep in ((KEEPER, "3653 days"), (FLEETING, "1 hour")):
        told = {"name": owner, "recording_notice": "notice", "recordings": "wav", "keep_recordings": keep}
        (folder / "owners" / f"{owner}.yaml").write_text(json.dumps(told))
        for line in range(LINES):
            number, to = numbers(owner, line)
            agreed = {
                "number": number,
                "owner": owner,
                "timezone": "Europe/Brussels",
                "record": "announce",
                "route": [{"ring": to}],
            }
            (folder / "numbers" / f"{owner}{line}.yaml").write_text(json.dumps(agreed))


def numbers(owner: str, line: int) -> tuple[str, str]:
    """A service number, and the destination behind it."""
    n = LINES * (owner == FLEETING) + line
    return f"+3280000{n:04d}", f"+3222000{n:03d}"


@pytest.fixture
async def somewhere(tmp_path: Path) -> AsyncIterator[Field]:
    routing = tmp_path / "routing"
    write_routing(routing)
    with reserve_ports(1) as (port,):
        address = f"127.0.0.1:{port}"
        with running_dev(routing, tmp_path / "state", "--carrier", address, "--objects", "s3") as dev:
            answers = Answers(after=0.2, says=(DESTINATION_HZ,))
            async with phones() as telephones, carrier(telephones, default=answers, port=port) as network:
                yield Field(dev, telephones, network)


# Calls.


async def call_again_and_again(it: Field, line: int, over: asyncio.Event, dice: random.Random) -> None:
    """One call after the other, to one owner and then the other, until it is over.

    At least one to each of them has got through then, and the last one.
    """
    owners, through, last, who = [KEEPER, FLEETING], set[str](), False, shown(new_caller())
    while not (over.is_set() and last and through == {KEEPER, FLEETING}):
        last = False
        owners.reverse()
        try:
            await call(it, who, *numbers(owners[0], line), dice.uniform(2.5, 6))
        except (CallOver, TimeoutError):  # what it goes through is its owner's concern, not this test's
            it.calls["cut off"] += 1
            await asyncio.sleep(0.5)
        else:
            last = True
            through.add(owners[0])
            it.calls["to its end"] += 1


async def call(it: Field, who: Identity, number: str, to: str, seconds: float) -> None:
    """A call: both say their tone all the time, and in between their piece. Raises CallOver, TimeoutError."""
    caller = await it.telephones.dial(number, it.sip, who, says=(CALLER_HZ,))
    try:
        await caller.hears(DESTINATION_HZ, 10)
        destination = next(a.handset for a in reversed(it.network.arrivals) if a.number == to and a.handset)
        await destination.hears(CALLER_HZ)
        await talk(caller, destination, seconds)
    finally:
        it.hung_up.append((number, datetime.now(UTC)))
        await caller.hang_up()
        with suppress(TimeoutError):
            await caller.wait_ended(3)


async def talk(caller: Handset, destination: Handset, seconds: float) -> None:
    """For so long. Raises CallOver when it is cut off: one kill may do so to all lines at once."""
    caller.play(ASKED)
    destination.play(REPLIED)
    with suppress(TimeoutError):
        await until(lambda: caller.ending or destination.ending, seconds)
    if (ending := caller.ending or destination.ending) is not None:
        raise CallOver(ending)


# Kills.


async def kill_at_random(it: Field, times: int, dice: random.Random) -> None:
    """Kill so many times, all parts equally often, sometimes one while another is still away."""
    backs = []
    for n in range(times):
        await asyncio.sleep(dice.expovariate(1 / SECONDS_BETWEEN))
        if n % len(PARTS) == 0:
            order = dice.sample(PARTS, len(PARTS))
        part = order[n % len(PARTS)]
        backs.append(asyncio.create_task(kill(it, part, await living(it, part))))
    await asyncio.gather(*backs)


async def living(it: Field, part: str) -> int:
    """Its process, once there is one."""
    await until(lambda: alive(it.dev.pids()[part]), 60)
    return it.dev.pids()[part]


async def kill(it: Field, part: str, pid: int) -> None:
    how = signal.SIGQUIT if part == "postgres" else signal.SIGKILL
    at = datetime.now(UTC)
    os.kill(pid, how)
    await until(lambda: it.dev.pids()[part] != pid, 60)
    it.kills.append(Kill(part, at, datetime.now(UTC)))


async def hurry(it: Field, dice: random.Random) -> None:
    """Let the deadlines of the one owner pass, a few seconds after each row is there; whatever is away."""
    while True:
        with suppress(*AWAY):
            async with it.database() as con:
                while True:
                    await con.execute(HURRY, dice.uniform(0, 4), FLEETING)
                    await asyncio.sleep(0.1)
        await asyncio.sleep(0.2)


# What is held against what was promised.


async def settled(it: Field, seconds: float = 90) -> Rows:
    """The rows of all recordings, once no call is left and nothing is on its way."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(*AWAY):
            async with it.database() as con:
                rows = {row["audio_id"]: row for row in await con.fetch(ROWS)}
                if it_is_quiet(it, rows):
                    return rows
        assert time.monotonic() < deadline, told(it, rows)
        await asyncio.sleep(0.2)


def it_is_quiet(it: Field, rows: Rows) -> bool:
    calls = it.journal()
    over = all(any(entry["kind"] == "call_end" for entry in entries) for entries in calls.values())
    return over and set(rows) == set(it.recorded()) and all(has_come_to_rest(row) for row in rows.values())


def has_come_to_rest(row: asyncpg.Record) -> bool:
    return row["state"] in {"destroyed", "stored" if row["owner"] == KEEPER else "destroyed"}


def told(it: Field, rows: Rows) -> str:
    odd = [dict(row) for row in rows.values() if not has_come_to_rest(row)]
    return f"not at rest: {odd}; without a row: {set(it.recorded()) - set(rows)}"


def expected_seconds(it: Field, entries: Sequence[Json]) -> tuple[float, float]:
    """The least and the most of a recorded call that must be there, in seconds."""
    begins = instant(entries, "rec_start")
    # Asterisk killed while no engine was there takes with it that the caller has hung up before.
    hung_up = min(at for number, at in it.hung_up if number == entries[0]["number"] and at > begins)
    ends, lost = min(instant(entries, "rec_end", "call_end"), hung_up), SLACK
    for it_was in it.kills:
        if it_was.part == "asterisk" and begins <= it_was.at <= ends:
            ends, lost = it_was.at, SLACK + LOST_BY_ASTERISK
        if it_was.part == "engine" and abs(it_was.at - begins) < timedelta(seconds=0.5):
            lost += max((it_was.back - begins).total_seconds(), 0) + 1  # the next one begins it
    lasted = (ends - begins).total_seconds()
    return lasted - lost, lasted + SLACK


def instant(entries: Sequence[Json], *kinds: str) -> datetime:
    """Of the first of these kinds that is there."""
    found = (entry["at"] for kind in kinds for entry in entries if entry["kind"] == kind)
    return datetime.fromisoformat(next(found))


def hold_what_is_kept(it: Field, audio_id: str, entries: Sequence[Json], wav: bytes) -> float:
    """It has what was said on either side, for as long as that lasted; how much of it, to the sample."""
    least, most = expected_seconds(it, entries)
    both = np.round(heard(wav) * 32768).astype(np.int16)
    assert least <= len(both) / RATE <= most, audio_id
    shares = []
    for side, hz, others, piece in (
        (both[:, 0], CALLER_HZ, DESTINATION_HZ, ASKED),
        (both[:, 1], DESTINATION_HZ, CALLER_HZ, REPLIED),
    ):
        assert np.median(levels(side, others)) < ABSENT, audio_id
        toned = np.count_nonzero(np.array(levels(side, hz)) > PRESENT) / 10
        assert toned >= HEARD * (least - len(piece) / RATE - SLACK), (audio_id, hz)
        shares.append(share(piece, side))
    if least > len(ASKED) / RATE + TO_BE_TALKING:
        assert min(shares) > HEARD, audio_id
    return min(shares)


def share(said: Samples, heard: Samples) -> float:
    """How much of what was said is heard, to the sample: in pieces of 10 ms, for a telephone may stutter."""
    line, found = from_alaw(alaw(said)), heard.astype("<i2").tobytes()
    pieces = [line[at : at + 80].astype("<i2").tobytes() for at in range(0, len(line), 80)]
    return sum(piece in found for piece in pieces) / len(pieces)


async def callengine(state: Path, *words: str, code: int = 0) -> bytes:
    """What a command prints, beside the run that keeps everything there."""
    told = [*words, "--settings", str(state / "callengine.toml")]
    result = await asyncio.to_thread(CliRunner().invoke, main, told)
    assert result.exit_code == code, result.output
    return result.stdout_bytes if code == 0 else result.output_bytes


def scratch_of(it: Field) -> Path:
    """Where this run puts its temporary files."""
    environment = Path(f"/proc/{it.dev.process.pid}/environ").read_bytes().split(b"\0")
    (folder,) = [told for told in environment if told.startswith(b"TMPDIR=")]
    return Path(os.fsdecode(folder.removeprefix(b"TMPDIR=")))


def sounds_in(data: bytes) -> bool:
    """Whether a piece of what was said stands there: as samples, as on the line, or beside another side's."""
    views = [np.frombuffer(data[at : len(data) - (len(data) - at) % 4], "<u2") for at in (0, 1)]
    sides = [view[which::2].tobytes() for view in views for which in (0, 1)]
    return any(piece in it for it in (data, *sides) for piece in LOOKED_FOR)


def files_below(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file())


def traces(it: Field) -> list[str]:
    """Where what was said can still be heard: in the run's files, all of them, or in temporary ones."""
    found = []
    for file in files_below(it.dev.state, scratch_of(it)):
        with suppress(FileNotFoundError):
            if sounds_in(file.read_bytes()):
                found.append(str(file))
    return found


@asynccontextmanager
async def safe_of(it: Field) -> AsyncIterator[Safe]:
    """Where this run keeps its sounds, with the means to open them."""
    settings = load_settings(it.dev.state / "callengine.toml")
    objects, vault = objects_of(settings), vault_of(settings)
    assert vault is not None
    yield Safe(objects, vault)
    await objects.close()


async def hold_against_what_was_promised(it: Field, rows: Rows) -> None:
    """The one oracle."""
    calls = it.recorded()
    assert set(rows) == set(calls), "one recording for every call that was begun to be recorded"
    gone = {audio_id for audio_id, row in rows.items() if row["state"] == "destroyed"}
    async with it.database() as con, safe_of(it) as safe:
        wavs = {audio_id: await safe.fetch(con, audio_id) for audio_id in set(rows) - gone}
        shares = [hold_what_is_kept(it, audio_id, calls[audio_id], wav) for audio_id, wav in wavs.items()]
        for audio_id in gone:
            hold_what_is_gone(it, rows[audio_id], calls[audio_id])
            with pytest.raises(SoundGone):
                await safe.fetch(con, audio_id)
        stones = {row["audio_id"]: row["late"].total_seconds() for row in await con.fetch(STONES)}
        assert set(stones) == gone, "one tombstone for each that is destroyed"
        keys = {row["audio_id"] for row in await con.fetch("SELECT audio_id FROM keys.audio_key")}
        assert keys == set(wavs), "nothing that is destroyed could be opened"
        left = {stored.name async for stored in safe.objects.all()}
        assert left == {f"recording/{audio_id}" for audio_id in wavs}
        text = await dump(con)
    assert not any(piece.hex() in text for piece in LOOKED_FOR)
    assert max(stones.values()) < ON_TIME
    assert (
        await callengine(it.dev.state, "recordings", "fetch", one(wavs), "--output", "-") == wavs[one(wavs)]
    )
    assert b"is destroyed" in await callengine(it.dev.state, "recordings", "fetch", one(gone), code=1)
    assert (await callengine(it.dev.state, "audit", "--read")).startswith(b"no findings")
    assert any(map(sounds_in, wavs.values())), "what is looked for is found where it is"
    assert traces(it) == []
    tell(it, rows, sorted(stones.values()), shares)


def one(some: Iterable[str]) -> str:
    return next(iter(some))


def hold_what_is_gone(it: Field, row: asyncpg.Record, entries: Sequence[Json]) -> None:
    """Its time was over; or Asterisk was killed before it had written anything of it."""
    if row["owner"] == KEEPER:
        assert row["why"] in ("empty", "no_file"), row["audio_id"]
        assert expected_seconds(it, entries)[0] <= 0, row["audio_id"]


def tell(it: Field, rows: Rows, late: Sequence[float], shares: Sequence[float]) -> None:
    killed = Counter(kill.part for kill in it.kills)
    states = Counter(f"{row['owner']} {row['state']} {row['why'] or ''}".strip() for row in rows.values())
    print(f"{len(it.kills)} kills: {dict(killed)}; calls: {dict(it.calls)}; recordings: {dict(states)}")
    print(f"destroyed {late[len(late) // 2]:.1f} s late by median, {late[-1]:.1f} s at most")
    print(f"of what was said, to the sample, {np.median(shares):.0%} by median, {min(shares):.0%} at least")


@pytest.mark.timeout(180 + 10 * KILLS)
async def test_whatever_is_killed_no_recording_is_lost_and_none_kept(somewhere: Field) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    dice, over = random.Random(seed), asyncio.Event()
    hurrying = asyncio.create_task(hurry(somewhere, dice))
    callers = [call_again_and_again(somewhere, line, over, dice) for line in range(LINES)]
    calling = asyncio.gather(*callers)
    await asyncio.sleep(2)
    await kill_at_random(somewhere, KILLS, dice)
    over.set()
    await calling
    rows = await settled(somewhere)
    hurrying.cancel()
    await hold_against_what_was_promised(somewhere, rows)
    assert {row["state"] for row in rows.values()} >= {"stored", "destroyed"}


# The engine killed just before and just after it has Asterisk record.


@asynccontextmanager
async def killed_at(service: Service, failpoint: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The engine is one that is killed there; it has been when the block ends, and is not there."""
    engine = service.house.engine
    await kill_part(engine)
    monkeypatch.setenv(VARIABLE, failpoint)
    try:
        await engine.start()
        monkeypatch.delenv(VARIABLE)
        assert engine.process is not None
        yield
        async with asyncio.timeout(15):
            assert await ended(engine.process) == -signal.SIGKILL
    except BaseException:
        await kill_part(engine)
        await engine.start()
        raise


async def stored_or_not(service: Service, audio_id: str, seconds: float = 20) -> asyncpg.Record:
    """The row of this recording, once it is stored; or not, for there is nothing to be stored."""
    row, deadline = None, time.monotonic() + seconds
    con = await asyncpg.connect(service.house.run.database)
    try:
        while row is None or row["state"] not in ("stored", "destroyed"):
            assert time.monotonic() < deadline, row
            # A file that is not there is waited for, since its disk may come back: for ten minutes.
            await con.execute(GIVE_UP, audio_id)
            row = await con.fetchrow(f"{ROWS} AND audio_id = $1", audio_id)
            await asyncio.sleep(0.1)
    finally:
        await con.close()
    return row


@pytest.mark.parametrize("hangs_up", ["with an engine", "without one"])
@pytest.mark.parametrize("failpoint", ["recording.before_start", "recording.after_start"])
async def test_killed_as_it_begins_to_record_the_engine_loses_no_recording(
    service: Service, monkeypatch: pytest.MonkeyPatch, failpoint: str, hangs_up: str
) -> None:
    to = service.destination(Answers(after=0.3, says=(DESTINATION_HZ,)))
    number = recorded_number(service.house, to, recordings="wav")
    async with killed_at(service, failpoint, monkeypatch):
        caller = await service.call(number, says=(CALLER_HZ,))
    (start,) = of_kind(service, number, "rec_start")
    await asyncio.sleep(1.5)
    if hangs_up == "without one":
        await caller.hang_up()
        await caller.wait_ended()
    await service.house.engine.start()
    if hangs_up == "with an engine":
        await hear_each_other(caller, await service.network.picked_up(to), DESTINATION_HZ, CALLER_HZ)
        await asyncio.sleep(2)
        await caller.hang_up()
    record = await service.record(number)
    assert record.recording_id == start["audio"]
    row = await stored_or_not(service, start["audio"])
    if (failpoint, hangs_up) == ("recording.before_start", "without one"):
        assert (row["state"], row["why"]) == ("destroyed", "no_file"), "nothing of it was recorded"
        return
    assert row["state"] == "stored"
    assert row["seconds"] >= (2 if hangs_up == "with an engine" else 1.5) - SLACK
    fetched = await callengine(service.house.state, "recordings", "fetch", start["audio"], "--output", "-")
    said = heard(fetched)[:, 0] * 32767
    assert np.median(levels(said.astype(np.int16)[-RATE:], CALLER_HZ)) > PRESENT
