"""A Unix socket in a folder, which only the folder's user and root can open; paths may be of any length."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def short_path(file: Path) -> Iterator[str]:
    """A path to this file that fits into a socket's address (107 bytes). Raises OSError."""
    folder = os.open(file.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{file.name}"
    finally:
        os.close(folder)


def bound(file: Path) -> socket.socket:
    """A socket of mode 0600, in place of one that an earlier process left. Raises OSError."""
    file.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        os.fchmod(server.fileno(), 0o600)  # before it has a name: nobody else can open it in between
        with short_path(file) as path:
            server.bind(path)
    except OSError:
        server.close()
        raise
    return server


def connected(file: Path, seconds: float) -> socket.socket:
    """A connection to it. Raises OSError, FileNotFoundError if there is no such socket."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    client.settimeout(seconds)
    try:
        with short_path(file) as path:
            client.connect(path)
    except OSError:
        client.close()
        raise
    return client
