"""Publishing of prompts: converted, by a process of its own, to the folder from which Asterisk plays them.

A published file is named by the content of its source and the version of the conversion, and never rewritten:
a live call hears what was checked, and Asterisk gets no comma or space of a folder's name.
"""

import asyncio
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

CONVERSION = 2  # increased when config/sound.py converts the same file differently
# How long it may take: a minute of audio takes 0.1 to 0.5 s on an idle host.
LEAST_SECONDS, SHARE = 60.0, 0.1


async def publish(prompts: Mapping[str, Prompt], folder: Path) -> dict[str, Prompt]:
    """Return these prompts with the `path` of a file in `folder`, which is created if it is missing.

    Raises ConfigErrors.
    """
    if missing := await asyncio.to_thread(_missing, prompts, folder):
        await _publish_in_process(missing, folder)
    return {name: replace(prompt, path=_place(prompt, folder)) for name, prompt in prompts.items()}


def _missing(prompts: Mapping[str, Prompt], folder: Path) -> list[Prompt]:
    return [prompt for prompt in prompts.values() if not _place(prompt, folder).exists()]


def _place(prompt: Prompt, folder: Path) -> Path:
    return folder / f"{prompt.sha256}-{CONVERSION}.wav"


async def _publish_in_process(prompts: list[Prompt], folder: Path) -> None:
    seconds = LEAST_SECONDS + SHARE * sum(prompt.seconds for prompt in prompts)
    try:
        stdin = pickle.dumps(prompts)
        errors = await answer_of("config.publish", str(folder), stdin=stdin, seconds=seconds)
    except ChildError as error:
        # They are converted in order: the first that is missing.
        culprit = next(prompt for prompt in prompts if not _place(prompt, folder).exists())
        errors = [_error(culprit, f"cannot be converted: the process {error}")]
    if errors:
        raise ConfigErrors(errors)


def make(prompts: Iterable[Prompt], folder: Path) -> list[FileError]:
    """Publish these prompts; return the errors of those that cannot be published."""
    folder.mkdir(parents=True, exist_ok=True)
    errors = []
    for prompt in prompts:
        try:
            _write(_place(prompt, folder), _converted(prompt))
        except UnplayableError as error:
            errors.append(_error(prompt, str(error)))
        except OSError as error:
            errors.append(_error(prompt, f"cannot be published ({error}); check disk and modes"))
    return errors


def prune(folder: Path, keep: Collection[str]) -> None:
    """Remove published prompts, except those whose source has a SHA-256 in `keep`. Raises OSError."""
    for file in folder.glob("*.wav"):
        if file.name.partition("-")[0] not in keep:
            file.unlink(missing_ok=True)


def _converted(prompt: Prompt) -> bytes:
    from config.sound import telephone  # noqa: PLC0415 - numpy, which the engine does not need

    data = prompt.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != prompt.sha256:
        raise UnplayableError("was changed while it was read; it is read again")
    return telephone(data)


def _write(path: Path, data: bytes) -> None:
    """Write it whole or not at all, even at a power cut: an existing file is never checked again."""
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
