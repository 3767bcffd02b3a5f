"""Which files of a routing folder are read: owners/**/*.yaml, numbers/**/*.yaml, prompts/[language/]*.wav."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from config.errors import NOWHERE, FileError
from dialplan.model import check_name
from dialplan.number import Language

LANGUAGES = get_args(Language)


@dataclass(frozen=True, slots=True)
class Files:
    """The files to read, sorted, and what is wrong with the folder itself."""

    owners: tuple[Path, ...]
    numbers: tuple[Path, ...]
    prompts: tuple[Path, ...]
    errors: tuple[FileError, ...]


def list_files(folder: Path) -> Files:
    """The files of a routing folder. Nothing is passed over in silence but what begins with a dot."""
    errors: list[FileError] = []
    if not folder.is_dir():
        error = FileError(
            folder, NOWHERE, "", "there is no such folder; write the folder that holds owners/ and numbers/"
        )
        return Files((), (), (), (error,))
    found = {
        part: tuple(sorted(_files(folder / part, suffix, errors)))
        for part, suffix in (("owners", ".yaml"), ("numbers", ".yaml"), ("prompts", ".wav"))
    }
    errors += (_missing(folder / part) for part in ("owners", "numbers") if not (folder / part).is_dir())
    misplaced = (_misplaced(prompt, folder / "prompts") for prompt in found["prompts"])
    errors += filter(None, misplaced)
    return Files(found["owners"], found["numbers"], found["prompts"], tuple(errors))


def _missing(part: Path) -> FileError:
    return FileError(
        part, NOWHERE, "", f"this folder is missing; make it, with a .yaml file for each of its {part.name}"
    )


def _files(folder: Path, suffix: str, errors: list[FileError]) -> Iterator[Path]:
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(path, suffix, errors)
            elif what := _unusable(entry, path, suffix):
                errors.append(FileError(path, NOWHERE, "", what))
            else:
                yield path


def _unusable(entry: os.DirEntry[str], path: Path, suffix: str) -> str | None:
    if entry.is_symlink():
        return "is a symbolic link; put the file itself here"
    if not entry.is_file():
        return "is not a file; remove it"
    if path.suffix != suffix:
        return f"its name does not end in {suffix}; name it {path.stem}{suffix}, or move it out of the folder"
    try:
        check_name(path.stem)
    except ValueError as wrong:
        return f"{wrong}{suffix}"
    return None


def _misplaced(prompt: Path, prompts: Path) -> FileError | None:
    """A prompt lies in prompts/ or in the folder of a language."""
    match prompt.relative_to(prompts).parts:
        case (_,) | (("nl" | "fr" | "de" | "es" | "en"), _):
            return None
        case _:
            what = f"lies too deep; put it into prompts/ or into one of prompts/{{{','.join(LANGUAGES)}}}/"
            return FileError(prompt, NOWHERE, "", what)
