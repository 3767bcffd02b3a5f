"""What earlier readings of routing folders found: an unchanged file is neither read nor parsed again.

A file is recognised by device, inode, size and change time, its content by its SHA-256. Both hold in any
folder: a version that is stored under another name is known too.

The file of the cache grows by what each reading found, and is written anew when most of it is of no use any
more.
"""

import hashlib
import os
import pickle
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self

from dialplan.caller_list import CallerList
from dialplan.event_calendar import EventCalendar
from dialplan.number import Owner

# A file system's clock is coarse: a file that was changed just before it was read may change again unseen.
YOUNG_NS = 2_000_000_000
SOURCES = ("config", "dialplan")
LIBRARIES = ("holidays", "icalendar", "phonenumbers", "pydantic", "recurring-ical-events", "tzdata")
INSTALLED = re.compile(r"(.+?)-(.+)\.(?:dist|egg)-info")
SPARE = 1000  # entries of earlier readings that are kept besides as many as the last one needed

type Stamp = tuple[int, int, int, int]
# What a number asked of its folder, and the argument: ("prompt", "welcome").
type Question = tuple[str, str | tuple[str, ...]]


class KnownNumber(NamedTuple):
    """A number whose file is right: `packed`, a pickled ServiceNumber, and what its being right depends on.

    `asked`: the references that were found. `contents`: path and SHA-256 of each sub-route and list that it
    uses. `destinations`: their dial keys. `music`: the prompts that replace the ringing.
    """

    key: str
    owner: str
    fallback: str | None
    music: tuple[str, ...]
    packed: bytes
    asked: tuple[Question, ...]
    destinations: frozenset[str]
    contents: frozenset[str]


@dataclass(slots=True)
class Known:
    """`stamps`: the SHA-256 of each file; everything else by SHA-256. `seconds`: of prompts."""

    stamps: dict[Stamp, str] = field(default_factory=dict)
    numbers: dict[str, KnownNumber] = field(default_factory=dict)
    owners: dict[str, Owner] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    lists: dict[str, CallerList] = field(default_factory=dict)
    calendars: dict[str, EventCalendar] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[dict[Any, Any], ...]:
        return self.stamps, self.numbers, self.owners, self.seconds, self.lists, self.calendars

    def add(self, other: Self) -> None:
        for part, more in zip(self.parts, other.parts, strict=True):
            part.update(more)


class Cache:
    """What is known at the beginning of a reading (`before`), and what the reading needed of it or found."""

    def __init__(self, before: Known | None = None) -> None:
        self._is_new = before is None  # there is no file to which something can be added
        self._before = before or Known()
        self._now = Known()
        self._shared: dict[Any, Any] = {}

    @classmethod
    def of(cls, file: Path, rules: str) -> Self:
        """Return what this file knows; nothing if it is missing, or another user could have written it.

        `rules`: what else the results depend on. Another version of the software knows nothing.
        """
        try:
            with file.open("rb") as opened:
                stat = os.fstat(opened.fileno())
                if stat.st_uid != os.geteuid() or stat.st_mode & 0o022:
                    return cls()
                known = Known()
                while line := opened.readline():
                    if line != header(rules):  # another process has begun the file anew, or added to it
                        return cls()
                    known.add(pickle.load(opened))  # noqa: S301 - written by this user alone
        except Exception:  # noqa: BLE001 - whatever is wrong with the file, it is only a cache
            return cls()
        return cls(known)

    def write(self, file: Path, rules: str) -> None:
        """Add what is new to the file. If it cannot be written, the next reading takes longer."""
        new = Known(*map(_missing, self._before.parts, self._now.parts))
        if not any(new.parts):
            return
        try:
            if self._is_new or any(map(_is_useless, self._before.parts, self._now.parts)):
                self._replace(file, rules)
            else:
                with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND), "ab", buffering=0) as opened:
                    opened.write(header(rules) + pickle.dumps(new))
        except OSError:
            with suppress(OSError):  # a folder in which nothing can be written allows no removal either
                file.unlink(missing_ok=True)  # it may be half written

    def _replace(self, file: Path, rules: str) -> None:
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
                opened.write(header(rules))
                pickle.dump(Known(*map(_some_more, self._before.parts, self._now.parts)), opened)
            draft.rename(file)
        finally:
            draft.unlink(missing_ok=True)

    def sha256(self, file: Path) -> str | None:
        """Return the SHA-256 of this file; None if the file must be read. Raises OSError."""
        return self._found(self._before.stamps, self._now.stamps, _stamp(os.stat(file)))

    def read(self, file: Path, most: int = -1) -> tuple[bytes, str]:
        """Return the content of a file, at most so many bytes, and its SHA-256. Raises OSError."""
        with file.open("rb") as opened:
            stat = os.fstat(opened.fileno())
            data = opened.read(most)
        sha256 = hashlib.sha256(data).hexdigest()
        if stat.st_mtime_ns < time.time_ns() - YOUNG_NS:
            self._now.stamps[_stamp(stat)] = sha256
        return data, sha256

    def known(self, paths: Iterable[str]) -> Iterator[tuple[str, KnownNumber] | None]:
        """Yield SHA-256 and number of each known file: `sha256` and `number` for thousands of files."""
        stamps, numbers = self._before.stamps.get, self._before.numbers.get
        stamps_now, numbers_now = self._now.stamps, self._now.numbers
        for path in paths:
            try:
                stamp = _stamp(os.stat(path))
            except OSError:  # sha256() raises it too
                yield None
                continue
            sha256 = stamps(stamp, "")
            if (number := numbers(sha256)) is None:
                yield None
                continue
            stamps_now[stamp], numbers_now[sha256] = sha256, number
            yield sha256, number

    def number(self, sha256: str) -> KnownNumber | None:
        return self._found(self._before.numbers, self._now.numbers, sha256)

    def add_number(self, sha256: str, number: KnownNumber) -> None:
        """Store that it is right. What many numbers have in common is stored, and read again, once."""
        self._now.numbers[sha256] = KnownNumber._make(self._shared.setdefault(it, it) for it in number)

    def owner(self, sha256: str, make: Callable[[], Owner | None]) -> Owner | None:
        return self._known_or(self._before.owners, self._now.owners, sha256, make)

    def seconds(self, sha256: str, make: Callable[[], float | None]) -> float | None:
        return self._known_or(self._before.seconds, self._now.seconds, sha256, make)

    def caller_list(self, sha256: str, make: Callable[[], CallerList | None]) -> CallerList | None:
        return self._known_or(self._before.lists, self._now.lists, sha256, make)

    def calendar(self, sha256: str, make: Callable[[], EventCalendar | None]) -> EventCalendar | None:
        return self._known_or(self._before.calendars, self._now.calendars, sha256, make)

    def _known_or[T](
        self, before: dict[str, T], now: dict[str, T], sha256: str, make: Callable[[], T | None]
    ) -> T | None:
        """Return what is known of a content; else make it, and store it unless it is None, which is wrong."""
        if (found := self._found(before, now, sha256)) is not None:
            return found
        if (made := make()) is not None:
            now[sha256] = made
        return made

    def _found[K, T](self, before: dict[K, T], now: dict[K, T], key: K) -> T | None:
        if (found := now.get(key)) is None and (found := before.get(key)) is not None:
            now[key] = found
        return found


class CacheFile:
    """The file of a cache under some rules, which may be read before the folder to be read is known."""

    def __init__(self, path: Path, rules: str) -> None:
        self.path = path
        self.rules = rules
        self._early: tuple[Stamp | None, Cache] | None = None

    def read_early(self) -> None:
        """Read it now, if it exists; `cache` reads it again only if it has changed meanwhile."""
        self._early = self._stamp(), Cache.of(self.path, self.rules)

    def cache(self) -> Cache:
        if self._early is not None and self._early[0] == self._stamp():
            return self._early[1]
        return Cache.of(self.path, self.rules)

    def _stamp(self) -> Stamp | None:
        try:
            return _stamp(self.path.stat())
        except OSError:
            return None


def _missing[K, T](before: dict[K, T], now: dict[K, T]) -> dict[K, T]:
    """The entries of now that are not those of before."""
    return {
        key: value for key, value in now.items() if (known := before.get(key)) is not value and known != value
    }


def _is_useless(before: Collection[object], now: Collection[object]) -> bool:
    """Whether most of before was not needed now."""
    return len(before) >= 2 * (len(now) + SPARE)


def _some_more[K, T](before: dict[K, T], now: dict[K, T]) -> dict[K, T]:
    """The entries of now, behind the latest of before: of an older version, which may come back."""
    rest = [(key, value) for key, value in before.items() if key not in now]
    return dict(islice(rest, max(0, len(rest) - len(now) - SPARE), None)) | now


def _stamp(stat: os.stat_result) -> Stamp:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def header(rules: str) -> bytes:
    """Return the first line of the file: the software, and the rules."""
    return f"{software()} {rules}\n".encode()


@cache
def software() -> str:
    """Return what identifies this software, as it was when this process began, and the libraries it uses."""
    root = Path(__file__).parent.parent
    files = [file for folder in SOURCES for file in sorted((root / folder).rglob("*.py"))]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return f"{sys.version_info[:3]} {digest} {' '.join(_libraries())}"


def _libraries() -> list[str]:
    """Name and version of each library, from the name of its folder: holidays-0.80.dist-info.

    importlib.metadata reads them with the parser for mails: 10 ms.
    """
    names: dict[str, str] = {}
    for folder in sys.path:
        with suppress(OSError), os.scandir(folder or ".") as entries:
            for entry in entries:
                if found := INSTALLED.fullmatch(entry.name):
                    names.setdefault(found[1].lower().replace("_", "-"), found[2])
    return [f"{name} {names.get(name) or metadata.version(name)}" for name in LIBRARIES]
