"""Which files of a routing folder are read: owners/**/*.yaml, numbers/**/*.yaml, prompts/[language/]*.wav.

A prompt may be an .mp3, .flac or .ogg as well. callers/**/*.txt are lists of callers' numbers,
routes/**/*.yaml sub-routes, calendars/**/*.ics calendars of events.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from config.errors import NOWHERE, FileError
from dialplan.names import LANGUAGES, NAME

YAML = (".yaml",)
SOUND = (".wav", ".mp3", ".flac", ".ogg")
LIST = (".txt",)
CALENDAR = (".ics",)
FILE_NAME = re.compile(NAME, re.ASCII)
# The folders in a routing folder.
PARTS = ("owners", "numbers", "prompts", "callers", "routes", "calendars")


@dataclass(frozen=True, slots=True)
class Files:
    """The files to read, sorted, and the errors of the folder itself."""

    owners: tuple[Path, ...]
    numbers: tuple[Path, ...]
    prompts: tuple[Path, ...]
    errors: tuple[FileError, ...]
    callers: tuple[Path, ...] = ()
    routes: tuple[Path, ...] = ()
    calendars: tuple[Path, ...] = ()

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file whose content counts."""
        return (*self.owners, *self.numbers, *self.prompts, *self.callers, *self.routes, *self.calendars)


def list_files(folder: Path) -> Files:
    """Return the files of a routing folder. Any other file is an error, unless its name begins with a dot."""
    errors: list[FileError] = []

    def refuse(path: Path, what: str) -> None:
        errors.append(FileError(path, NOWHERE, "", what))

    if not folder.is_dir():
        refuse(folder, "there is no such folder; write the one that holds owners/ and numbers/")
        return Files((), (), (), tuple(errors))
    for part in ("owners", "numbers"):
        if not (folder / part).is_dir():
            refuse(
                folder / part, f"this folder is missing; make it, with a .yaml file for each of the {part}"
            )

    def sorted_files(part: str, suffixes: tuple[str, ...]) -> tuple[Path, ...]:
        right = re.compile(f"{NAME}({'|'.join(map(re.escape, suffixes))})", re.ASCII)
        return tuple(map(_path, sorted(_files(f"{folder}/{part}", suffixes, right, refuse))))

    owners = sorted_files("owners", YAML)
    numbers = sorted_files("numbers", YAML)
    prompts = [it for it in sorted_files("prompts", SOUND) if _in_place(it, folder / "prompts", refuse)]
    _refuse_twice(prompts, refuse)
    callers = sorted_files("callers", LIST)
    routes = sorted_files("routes", YAML)
    calendars = sorted_files("calendars", CALENDAR)
    return Files(owners, numbers, tuple(prompts), tuple(errors), callers, routes, calendars)


def _path(text: str) -> Path:
    """The path of this text, which it need not make of its parts again: 10 us, for thousands of files."""
    path = Path(text)
    path._str = text  # type: ignore[attr-defined]
    return path


def _files(
    folder: str, suffixes: tuple[str, ...], right: re.Pattern[str], refuse: Callable[[Path, str], None]
) -> Iterator[str]:
    """The usable files in this folder and its subfolders. As text: thousands of them are sorted faster.

    `right`: their names.
    """
    for entry in _entries(folder, refuse):
        if entry.is_file(follow_symlinks=False) and right.fullmatch(entry.name):
            yield entry.path
        elif entry.name.startswith("."):
            continue
        elif entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path, suffixes, right, refuse)
        elif what := _objection(entry, suffixes):
            refuse(Path(entry.path), what)
        else:
            yield entry.path


def _entries(folder: str, refuse: Callable[[Path, str], None]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        refuse(Path(folder), f"cannot be read ({error.strerror}); check its owner and mode")
        return []


def _objection(entry: os.DirEntry[str], suffixes: tuple[str, ...]) -> str | None:
    if entry.is_symlink():
        return "is a symbolic link; put the file itself here"
    if not entry.is_file():
        return "is not a file; remove it"
    stem, suffix = os.path.splitext(entry.name)  # of thousands of files: a Path takes 30 us
    if suffix not in suffixes:
        return _wrong_suffix(Path(entry.name), suffixes)
    if not FILE_NAME.fullmatch(stem):
        return f"its name is not a word of a-z, 0-9, - and _; rename it, as in  main{suffix}"
    return None


def _wrong_suffix(path: Path, suffixes: tuple[str, ...]) -> str:
    *others, last = suffixes
    wanted = f"{', '.join(others)} or {last}" if others else last
    nearest = path.suffix.lower() if path.suffix.lower() in suffixes else last
    # Renaming does not convert a file.
    better = "convert it" if others and nearest == last else f"name it {path.stem}{nearest}"
    return f"its name does not end in {wanted}; {better}, or move it out of the folder"


def _in_place(prompt: Path, prompts: Path, refuse: Callable[[Path, str], None]) -> bool:
    """Whether a prompt is in prompts/ or in the folder of a language."""
    *folders, _ = prompt.relative_to(prompts).parts
    if not folders or (len(folders) == 1 and folders[0] in LANGUAGES):
        return True
    refuse(
        prompt, f"is in a folder of no language; move it to prompts/ or prompts/{{{','.join(LANGUAGES)}}}/"
    )
    return False


def _refuse_twice(prompts: list[Path], refuse: Callable[[Path, str], None]) -> None:
    """Refuse welcome.mp3 beside welcome.wav: it is not defined which one is played."""
    first: dict[Path, Path] = {}
    for prompt in prompts:
        if (other := first.setdefault(prompt.with_suffix(""), prompt)) is not prompt:
            refuse(prompt, f"this prompt is also in {other}; remove one of the two")
