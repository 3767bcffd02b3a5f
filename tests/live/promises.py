"""What is promised of recordings, held against what is there once everything that was killed is back."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import numpy as np
import pytest
from click.testing import CliRunner

from cli.__main__ import main
from config.settings import load_settings
from devkit.audio import RATE, Samples, alaw, levels
from storage.encrypted_store import AudioDestroyed, EncryptedStore
from storage.stores import key_wrapper_of, objects_of
from tests.live.followed import Json
from tests.live.mails import from_alaw, probes
from tests.live.outages import ASKED, CALLER_HZ, DESTINATION_HZ, KEEPER, REPLIED, Field
from tests.live.recordings import instant
from tests.store.conversations import heard
from tests.store.keeping import dump

LOOKED_FOR = [piece for said in (ASKED, REPLIED) for piece in probes(said).values()]
LOST_BY_ASTERISK = 1.05  # s that it has not written yet when it is killed: 32,768 bytes are 1.024 s
TO_BE_TALKING = 1.5  # s from the first sample until each has heard the other, and begins
SLACK = 0.5  # s from `rec_start` to the first sample, and what a busy machine is late by
PRESENT, ABSENT = 0.1, 0.03
HEARD = 0.3  # of what was to be said, at least: telephones on a busy machine stutter
ON_TIME = 60  # s
STONES = "SELECT audio_id, destroyed_at - destroy_after AS late FROM tombstone"

Rows = Mapping[str, asyncpg.Record]  # by the recording's id


def expected_seconds(it: Field, entries: Sequence[Json]) -> tuple[float, float]:
    """The least and the most of a recorded call that must be there, in seconds.

    As it was, whatever the journal could learn of it: to the caller's hang-up, or until Asterisk was killed.
    """
    (begins,) = {instant(entry) for entry in entries if entry["kind"] == "rec_start"}
    ends = min(at for number, at in it.hung_up if number == entries[0]["number"] and at > begins)
    lost = SLACK
    if killed := [kill.at for kill in it.kills if kill.part == "asterisk" and begins <= kill.at <= ends]:
        ends, lost = min(killed), SLACK + LOST_BY_ASTERISK
    lasted = (ends - begins).total_seconds()
    return lasted - lost, lasted + SLACK


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
async def encrypted_store_of(it: Field) -> AsyncIterator[EncryptedStore]:
    """Where this run keeps its sounds, with the means to open them."""
    settings = load_settings(it.dev.state / "callengine.toml")
    objects, key_wrapper = objects_of(settings), key_wrapper_of(settings)
    assert key_wrapper is not None
    yield EncryptedStore(objects, key_wrapper)
    await objects.close()


async def hold_against_what_was_promised(it: Field, rows: Rows) -> None:
    """The one oracle."""
    calls = it.recorded()
    assert set(rows) == set(calls), "one recording for every call that was begun to be recorded"
    gone = {audio_id for audio_id, row in rows.items() if row["state"] == "destroyed"}
    async with it.database() as con, encrypted_store_of(it) as encrypted_store:
        wavs = {audio_id: await encrypted_store.fetch(con, audio_id) for audio_id in set(rows) - gone}
        shares = [hold_what_is_kept(it, audio_id, calls[audio_id], wav) for audio_id, wav in wavs.items()]
        for audio_id in gone:
            hold_what_is_gone(it, rows[audio_id], calls[audio_id])
            with pytest.raises(AudioDestroyed):
                await encrypted_store.fetch(con, audio_id)
        stones = {row["audio_id"]: row["late"].total_seconds() for row in await con.fetch(STONES)}
        assert set(stones) == gone, "one tombstone for each that is destroyed"
        keys = {row["audio_id"] for row in await con.fetch("SELECT audio_id FROM keys.audio_key")}
        assert keys == set(wavs), "nothing that is destroyed could be opened"
        left = {stored.name async for stored in encrypted_store.objects.all()}
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
