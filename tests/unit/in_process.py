"""The processes of the routing store (0.1 to 0.5 s each), as functions of this process."""

import pickle
from pathlib import Path
from typing import Any

from config import load, publish, version_files, versioning
from config.cache import CacheFile


async def answer_of(
    module: str, *arguments: str, stdin: bytes = b"", seconds: float, child: None = None
) -> Any:
    """In place of that of `config.child`."""
    match module, arguments:
        case "config.load", (cache, rules):
            folder, policy = pickle.loads(stdin)  # noqa: S301 - ours
            return load.answer(folder, policy, CacheFile(Path(cache), rules))
        case "config.publish", (folder,):
            return publish.make(pickle.loads(stdin), Path(folder))  # noqa: S301 - ours
        case "config.version_files", _:
            return version_files._answer(*arguments)
        case _:
            return versioning._answer(*arguments)
