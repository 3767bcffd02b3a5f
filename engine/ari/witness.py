"""The witness: Asterisk's CEL, read along for the calls that Asterisk served alone while no engine was there.

Where it has come to is kept in a file, never beyond the beginning of a call that is not over; and beside it,
which calls were told beyond that place: the next engine reads them again.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import structlog

from engine.ari.cel import CONTEXT, seen, served
from engine.served import Served

LOOK_SECONDS = 0.5
READ_BYTES = 1 << 14  # 100 lines: no call waits for long
# Of a call that has gone CEL tells the end at once.
TOLD_SECONDS = 2.0
LOOKED_FOR_SECONDS = 5.0
FORGOTTEN_SECONDS = 86400.0
MARK = f'"{CONTEXT}"'.encode()
Place = tuple[int, int]  # a file's inode, and a byte of it
log = structlog.get_logger()


@dataclass(slots=True)
class Going:
    """A call that is not over: its lines, and where the first of them stands."""

    place: Place
    lines: list[bytes] = field(default_factory=list)


class Witness:
    """`ours`: is this channel one that the engine attends to? Of others `alone` is told, once they are over.

    `cel`: the file that cel_custom.conf writes; `kept`: where it is kept how far that was read.
    """

    def __init__(
        self,
        cel: Path,
        kept: Path,
        ours: Callable[[str], bool],
        alone: Callable[[Served], Awaitable[None]],
    ) -> None:
        self._cel = cel
        self._kept = kept
        self._ours = ours
        self._alone = alone
        self._going: dict[str, Going] = {}
        self._told: dict[str, asyncio.Future[Served | None]] = {}
        self._file: BinaryIO | None = None
        self._place: Place = (0, 0)  # behind the last whole line
        self._past: frozenset[str] = frozenset()  # told, and beyond the place that is kept
        self._saved: tuple[Place, frozenset[str]] | None = None
        self._blind = False

    async def run(self) -> None:
        """Read along, until cancelled. Whatever goes wrong with it is no call's concern."""
        try:
            while True:
                try:
                    await self._try_to_read_on()
                except Exception:
                    log.exception("witness_failed")
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            if self._file is not None:
                self._file.close()

    async def became(self, channel: str, exists: Callable[[], Awaitable[bool]]) -> Served | None:
        """What became of one of ours that has left us; for as long as it `exists`, wait for its end."""
        told = self._told.setdefault(channel, asyncio.get_running_loop().create_future())
        try:
            while not told.done():
                gone = not await exists()
                await asyncio.wait({told}, timeout=TOLD_SECONDS if gone else LOOKED_FOR_SECONDS)
                if gone:
                    break
            return told.result() if told.done() else None
        finally:
            self._told.pop(channel, None)

    async def _try_to_read_on(self) -> None:
        try:
            await self._read_on()
        except FileNotFoundError:  # no call yet, or just being rotated
            return
        except OSError as trouble:
            self._say(trouble)
        else:
            self._blind = False

    def _say(self, trouble: OSError) -> None:
        """Once."""
        if not self._blind:
            log.error("cel_not_read", error=str(trouble), remedy="let the engine's user read asterisk.cel")
        self._blind = True

    async def _read_on(self) -> None:
        if self._saved is None:
            await asyncio.to_thread(self._begin)
        while lines := await asyncio.to_thread(self._lines):
            for line in lines:
                await self._take(line)
        await asyncio.to_thread(self._save)

    def _begin(self) -> None:
        """What stands there before the first engine runs is none of ours."""
        if (kept := read_kept(self._kept)) is not None:
            self._saved, self._past = kept, kept[1]
            return
        there = self._cel.stat() if self._cel.exists() else None
        self._place = (there.st_ino, there.st_size) if there else (0, 0)
        self._save()

    def _lines(self) -> list[bytes]:
        """The next whole lines, those of a file that was rotated first. Raises OSError."""
        file = self._file or self._open()
        file.seek(self._place[1])
        data = file.read(READ_BYTES)
        lines = data[: data.rfind(b"\n") + 1].splitlines(keepends=True)
        now = self._cel.stat()
        if not lines and (now.st_ino != self._place[0] or now.st_size < self._place[1]):
            file.close()  # it was rotated, and has been read to its end; or was written anew
            self._file, self._place = self._cel.open("rb"), (now.st_ino, 0)
            return self._lines()
        return lines

    def _open(self) -> BinaryIO:
        """The file that was read last, at its place; where it is gone, or written anew, the one there is."""
        now = self._cel.stat()
        inode, offset = self._saved[0] if self._saved else (0, 0)
        files = {path.stat().st_ino: path for path in self._cel.parent.iterdir()}
        if inode not in files or files[inode].stat().st_size < offset:
            inode, offset = now.st_ino, 0
        self._file, self._place = files.get(inode, self._cel).open("rb"), (inode, offset)
        return self._file

    async def _take(self, line: bytes) -> None:
        here, self._place = self._place, (self._place[0], self._place[1] + len(line))
        parts = line.split(b'","', 4)
        if len(parts) < 5:  # cut when the disk was full, or none of ours
            return
        kind, channel = parts[0], parts[3].decode("ascii", "replace")
        self._going.setdefault(channel, Going(here)).lines.append(line)
        if kind == b'"LINKEDID_END':
            await self._over(channel, self._going.pop(channel).lines)

    async def _over(self, channel: str, lines: list[bytes]) -> None:
        """A call is over. Of those that the engine had nothing is to be told, but to who waits for it."""
        alone = None
        if any(MARK in line for line in lines):
            try:
                alone = served([seen(line.decode()) for line in lines])
            except (ValueError, KeyError, TypeError):
                log.exception("cel_unreadable", channel=channel)
        told = self._told.get(channel)
        if told is not None and not told.done():
            told.set_result(alone)
        if alone is None or channel in self._past:
            return
        if told is None and self._ours(channel):
            self._told[channel] = asyncio.get_running_loop().create_future()
            self._told[channel].set_result(alone)
        elif told is None:
            await self._alone(alone)
        self._past |= {channel}

    def _save(self) -> None:
        """Not beyond a call that is going on. One that has done so for a day died with Asterisk."""
        old = str(time.time() - FORGOTTEN_SECONDS).encode()
        for call in [call for call, it in self._going.items() if it.lines[0].split(b'","', 2)[1] < old]:
            del self._going[call]
        place = next((going.place for going in self._going.values()), self._place)
        if place == self._place:  # nothing will be read again
            self._past = frozenset()
        now = (place, self._past)
        if now != self._saved:
            draft = self._kept.with_suffix(".draft")
            draft.write_text(json.dumps({"place": place, "past": sorted(self._past)}))
            draft.rename(self._kept)
            self._saved = now


def read_kept(file: Path) -> tuple[Place, frozenset[str]] | None:
    """What was kept, if anything was."""
    try:
        kept = json.loads(file.read_text())
        inode, offset = kept["place"]
        return (int(inode), int(offset)), frozenset(kept["past"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
