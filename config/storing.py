"""A process that stores a version while another one reads and checks its folder: most of it is links.

It begins with the files of the version in force, before it is known which of them the next version has. Like
config.version_files it imports no model.
"""

import errno
import gc
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from config.copies import FolderChangedError
from config.reply import reply
from config.version_files import new_draft, store_draft


class Storing:
    """The process, which starts at once. After the block it has ended, and left a version or nothing."""

    def __init__(self) -> None:
        command = (sys.executable, "-P", "-m", "config.storing")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def begin(self, root: Path) -> None:
        """Link the files of the version in force among the versions in `root`."""
        self._send(root)

    def finish(self, folder: Path, digest: str, known: Mapping[str, str]) -> None:
        """Store this folder: Versions.store. Raises FolderChangedError and OSError."""
        self._send((folder, digest, known))
        try:
            error = pickle.load(self._process.stdout)  # type: ignore[arg-type]  # noqa: S301 - our own child's
        except EOFError:
            why = f"the process that stores it ended with {self._process.wait()}"
            raise OSError(errno.EIO, why, "the version") from None
        if error is not None:
            raise error

    def _send(self, value: object) -> None:
        if (stdin := self._process.stdin) is None:
            return
        with suppress(BrokenPipeError):  # it has ended; its answer says why
            pickle.dump(value, stdin)
            stdin.flush()


def _answer(requests: Any) -> Exception | None:
    """Store what is asked for: an error, or None. Without a second request nothing is left behind."""
    try:
        root = pickle.load(requests)  # noqa: S301 - our parent's
        draft = new_draft(root, str(os.getpid()))
        try:
            draft.link_all()
            folder, digest, known = pickle.load(requests)  # noqa: S301 - our parent's
            store_draft(root, draft, folder, digest, known)
        finally:
            draft.remove()
    except (EOFError, pickle.UnpicklingError):  # the folder has errors, or our parent was killed
        return None
    except (FolderChangedError, OSError) as error:
        return error
    return None


if __name__ == "__main__":
    gc.disable()  # it lives for a moment, and produces no garbage
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: it ends with its parent
    reply(_answer(sys.stdin.buffer))
