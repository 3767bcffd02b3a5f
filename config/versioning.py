"""Routing versions stored and read by a process of its own: thousands of files do not delay a call."""

import gc
import sys
from pathlib import Path
from typing import Any

from config.cache import Cache
from config.child import ChildError, answer_of, reply
from config.errors import NOWHERE, ConfigErrors, FileError
from config.load import rules_of
from config.policy import Policy
from config.versions import FolderChangedError, VersionError, Versions, Why
from dialplan.routing import Routing

KEEP_SECONDS = 120.0  # 5,000 numbers take 1 s, on a slow disk 10
READ_SECONDS = 30.0


async def store(versions: Versions, folder: Path, digest: str, policy: Policy) -> None:
    """`Versions.store`. Raises OSError if it cannot be written, ConfigErrors if the folder has changed."""
    try:
        arguments = ("store", str(versions.root), digest, str(folder), *policy.countries)
        error = await answer_of("config.versioning", *arguments, seconds=KEEP_SECONDS)
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
    """Return the answer of the child: a version, an error, or None after `store`."""
    versions = Versions(Path(root))
    try:
        if what == "store":
            folder, *countries = more
            cache = Cache.of(versions.cache, rules_of(Policy(frozenset(countries))))
            return versions.store(Path(folder), digest, lambda name: cache.sha256(Path(folder, name)))
        return versions.read(digest, Policy(frozenset(more)) if more else None)
    except (VersionError, FolderChangedError, OSError) as error:
        return error


if __name__ == "__main__":
    gc.disable()  # it lives for a second, and produces no garbage
    reply(_answer(*sys.argv[1:]))
