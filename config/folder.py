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
    owners = sorted(_files(folder / "owners", YAML, refuse), key=str)
    numbers = sorted(_files(folder / "numbers", YAML, refuse), key=str)
    prompts = sorted(_files(folder / "prompts", SOUND, refuse), key=str)
    prompts = [prompt for prompt in prompts if _in_place(prompt, folder / "prompts", refuse)]
    _refuse_twice(prompts, refuse)
    callers = sorted(_files(folder / "callers", LIST, refuse), key=str)
    routes = sorted(_files(folder / "routes", YAML, refuse), key=str)
    calendars = sorted(_files(folder / "calendars", CALENDAR, refuse), key=str)
    return Files(
        tuple(owners),
        tuple(numbers),
        tuple(prompts),
        tuple(errors),
        tuple(callers),
        tuple(routes),
        tuple(calendars),
    )


def _files(folder: Path, suffixes: tuple[str, ...], refuse: Callable[[Path, str], None]) -> Iterator[Path]:
    """The usable files in this folder and its subfolders."""
    for entry in _entries(folder, refuse):
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), suffixes, refuse)
        elif what := _objection(entry, suffixes):
            refuse(Path(entry.path), what)
        else:
            yield Path(entry.path)


def _entries(folder: Path, refuse: Callable[[Path, str], None]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        refuse(folder, f"cannot be read ({error.strerror}); check its owner and mode")
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
