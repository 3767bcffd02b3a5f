"""Prompts put where Asterisk plays them, converted by a process of its own: libsndfile reads what comes.

A published file is named by the content of its source and the way it was converted, and never written again:
a live call hears what was checked, and no comma or space of a folder's name reaches Asterisk.
"""

import hashlib
import os
import pickle
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from config.child import ChildError, answer_of, reply
from config.errors import NOWHERE, ConfigErrors, FileError, UnplayableError
from dialplan.prompt import Prompt

CONVERSION = 2  # counted up when config/sound.py makes something else of the same file
LEAST_SECONDS, SHARE = (
    60.0,
    0.1,
)  # how long it may take: a minute of sound takes 0.1 to 0.5 s, on an idle host


async def publish(prompts: Mapping[str, Prompt], folder: Path) -> dict[str, Prompt]:
    """The same prompts by the same names, their `path` that of a file in `folder`, made where it is missing.

    Raises ConfigErrors.
    """
    missing = [prompt for prompt in prompts.values() if not _place(prompt, folder).exists()]
    if missing:
        await _publish_in_process(missing, folder)
    return {name: replace(prompt, path=_place(prompt, folder)) for name, prompt in prompts.items()}


def _place(prompt: Prompt, folder: Path) -> Path:
    return folder / f"{prompt.sha256}-{CONVERSION}.wav"


async def _publish_in_process(prompts: list[Prompt], folder: Path) -> None:
    seconds = LEAST_SECONDS + SHARE * sum(prompt.seconds for prompt in prompts)
    try:
        told = pickle.dumps(prompts)
        errors = await answer_of("config.publish", str(folder), told=told, seconds=seconds)
    except ChildError as wrong:
        # They are made in order: it is the first that is not there.
        culprit = next(prompt for prompt in prompts if not _place(prompt, folder).exists())
        errors = [_error(culprit, f"cannot be converted: the process {wrong}")]
    if errors:
        raise ConfigErrors(errors)


def make(prompts: Iterable[Prompt], folder: Path) -> list[FileError]:
    """Publish each of these; what is wrong with those that cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    errors = []
    for prompt in prompts:
        try:
            _write(_place(prompt, folder), _converted(prompt))
        except UnplayableError as wrong:
            errors.append(_error(prompt, str(wrong)))
        except OSError as wrong:
            errors.append(_error(prompt, f"cannot be published ({wrong}); check disk and modes"))
    return errors


def prune(folder: Path, keep: Collection[str]) -> None:
    """Remove the published prompts whose source's SHA-256 is not among those to keep. Raises OSError."""
    for file in folder.glob("*.wav"):
        if file.name.partition("-")[0] not in keep:
            file.unlink(missing_ok=True)


def _converted(prompt: Prompt) -> bytes:
    from config.sound import telephone  # noqa: PLC0415 - numpy, which the engine itself can do without

    data = prompt.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != prompt.sha256:
        raise UnplayableError("was changed while it was read; it is read again")
    return telephone(data)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, also when the power fails: what is there is never looked at again."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(0o644)  # Asterisk may run as another user
    draft.rename(path)


def _error(prompt: Prompt, what: str) -> FileError:
    return FileError(prompt.path, NOWHERE, "", what)


if __name__ == "__main__":
    reply(make(pickle.load(sys.stdin.buffer), Path(sys.argv[1])))  # noqa: S301 - our parent's
