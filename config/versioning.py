"""Routing versions stored and read by processes of their own: thousands of files do not delay a call."""

import gc
import sys
from pathlib import Path

from config.child import ChildError, answer_of, reply
from config.copies import FolderChangedError
from config.errors import NOWHERE, ConfigErrors, FileError
from config.policy import Policy
from config.versions import VersionError, Versions, Why
from dialplan.routing import Routing

STORE_SECONDS = 120.0  # 5,000 numbers take 1 s, on a slow disk 10
READ_SECONDS = 30.0


async def store(versions: Versions, folder: Path, digest: str) -> None:
    """`Versions.store`. Raises OSError if it cannot be written, ConfigErrors if the folder has changed."""
    try:
        error = await answer_of(
            "config.version_files", str(versions.root), str(folder), digest, seconds=STORE_SECONDS
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
            "config.versioning", str(versions.root), digest, *countries, seconds=READ_SECONDS
        )
    except ChildError as failure:
        raise VersionError(digest, Why.UNREADABLE, f"the process reading it {failure}") from None
    match answer:
        case Routing():
            return answer
        case OSError():
            raise VersionError(digest, Why.UNREADABLE, str(answer))
    raise answer


def _answer(root: str, digest: str, *countries: str) -> Routing | Exception:
    """Return the answer of the child: a version, or an error."""
    try:
        policy = Policy(frozenset(countries), accepted=True) if countries else None
        return Versions(Path(root)).read(digest, policy)
    except (VersionError, OSError) as error:
        return error


if __name__ == "__main__":
    gc.disable()  # it lives for a second, and produces no garbage
    reply(_answer(*sys.argv[1:]))
