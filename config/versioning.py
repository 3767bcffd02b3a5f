"""Routing versions kept and read by a process of its own: thousands of files are not in the way of a call."""

import gc
import sys
from pathlib import Path
from typing import Any

from config.child import ChildError, answer_of, reply
from config.errors import NOWHERE, ConfigErrors, FileError
from config.load import packed
from config.policy import Policy
from config.versions import FolderChangedError, VersionError, Versions, Why
from dialplan.routing import Routing

KEEP_SECONDS = 120.0  # 5,000 numbers take 1 s, on a slow disk 10
READ_SECONDS = 30.0


async def keep(versions: Versions, folder: Path, digest: str) -> None:
    """`Versions.keep`. Raises OSError when it cannot be written, ConfigErrors when the folder has changed."""
    try:
        wrong = await answer_of(
            "config.versioning", "keep", str(versions.root), digest, str(folder), seconds=KEEP_SECONDS
        )
    except ChildError as trouble:
        raise OSError(f"the process that keeps the version {trouble}") from None
    match wrong:
        case FolderChangedError():
            what = "was changed while it was read; it is read again"
            raise ConfigErrors([FileError(folder, NOWHERE, "", what)])
        case OSError():
            raise wrong


async def read(versions: Versions, digest: str, policy: Policy | None = None) -> Routing:
    """`Versions.read`. Raises VersionError."""
    countries = sorted(policy.countries) if policy else ()
    try:
        answer = await answer_of(
            "config.versioning", "read", str(versions.root), digest, *countries, seconds=READ_SECONDS
        )
    except ChildError as trouble:
        raise VersionError(digest, Why.UNREADABLE, f"the process reading it {trouble}") from None
    match answer:
        case Routing():
            return answer
        case OSError():
            raise VersionError(digest, Why.UNREADABLE, str(answer))
    raise answer


def _answer(what: str, root: str, digest: str, *more: str) -> Any:
    """What the child is asked: the version, or the error that it meets; None for what is done."""
    versions = Versions(Path(root))
    try:
        if what == "keep":
            return versions.keep(Path(more[0]), digest)
        return packed(versions.read(digest, Policy(frozenset(more)) if more else None))
    except (VersionError, FolderChangedError, OSError) as wrong:
        return wrong


if __name__ == "__main__":
    gc.disable()  # it lives for a second, and nothing it makes is garbage
    reply(_answer(*sys.argv[1:]))
