"""A file in memory alone, for libraries that want a file."""

import os
from typing import BinaryIO


def in_memory(data: bytes = b"") -> BinaryIO:
    """Return a file without a folder, which contains `data`, at its beginning.

    libsndfile writes into a BytesIO by callbacks. For these cffi needs memory that is writable and
    executable, which the worker's unit denies (MemoryDenyWriteExecute).
    """
    file = os.fdopen(os.memfd_create("sound"), "w+b")
    file.write(data)
    file.seek(0)
    return file
