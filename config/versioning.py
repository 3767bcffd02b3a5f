"""Routing versions stored and read by a process of its own: thousands of files do not delay a call."""

import gc
import sys
from pathlib import Path
from typing import Any

from config.child import ChildError, answer_of, reply
from config.errors import NOWHERE, ConfigErrors, FileError
from config.policy import Policy
from config.versions import FolderChangedError, VersionError, Versions, Why
from dialplan.routing import Routing

KEEP_SECONDS = 120.0  # 5,000 numbers take 1 s, on a slow disk 10
READ_SECONDS = 30.0


async def store(versions: Versions, folder: Path, digest: str) -> None:
    """`Versions.store`. Raises OSError if it cannot be written, ConfigErrors if the folder has changed."""
    try:
        error = await answer_of(
            "config.versioning", "keep", str(versions.root), digest, str(folder), seconds=KEEP_SECONDS
        )
    except ChildError as failure:
        raise OSError(f"the process that stores the version {failure}") from None
    match error:
        case FolderChangedError():
            what = "was changed while it was read; it is read again"
            raise ConfigErrors([FileError(folder, NOWHERE, "", what)])
        case OSError():
            raise error


async def read(versions: Versions, digest: str, policy: Policy | None = None) -> Routing:
    """`Versions.read`. Raises VersionError."""
    countries = sorted(policy.countries) if policy else ()
    try:
        answer = await answer_of(
            "config.versioning", "read", str(versions.root), digest, *countries, seconds=READ_SECONDS
        )
    except ChildError as failure:
        raise VersionError(digest, Why.UNREADABLE, f"the process reading it {failure}") from None
    match answer:
        case Routing():
            return answer
        case OSError():
            raise VersionError(digest, Why.UNREADABLE, str(answer))
    raise answer


def _answer(what: str, root: str, digest: str, *more: str) -> Any:
    """Return the answer of the child: a version, an error, or None after `keep`."""
    versions = Versions(Path(root))
    try:
        if what == "keep":
            return versions.store(Path(more[0]), digest)
        return versions.read(digest, Policy(frozenset(more)) if more else None)
    except (VersionError, FolderChangedError, OSError) as error:
        return error


if __name__ == "__main__":
    gc.disable()  # it lives for a second, and produces no garbage
    reply(_answer(*sys.argv[1:]))
