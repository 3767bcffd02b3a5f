"""Child processes of `callengine dev` and the tests; none outlives the process that started it."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def spawn(
    command: Sequence[str | Path],
    log: Path,
    *,
    wrap: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    farewell: signal.Signals = signal.SIGTERM,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in its own session, its output appended to `log`.

    `wrap` is a command that runs another (`unshare … --`). `farewell` is the signal that the kernel sends to
    the child if we are killed; setpriv sets it last, because a change of user clears it. `env` is added to
    our environment. `folder`: its working directory, otherwise ours. Call it from the main thread: the kernel
    watches the thread, not the process.
    """
    argv = [*wrap, "setpriv", "--pdeathsig", farewell.name.removeprefix("SIG"), "--", *map(str, command)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            cwd=folder,
        )


def stop(child: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM, seconds: float = 5) -> None:
    """End `child` with the signal `how`, and with SIGKILL if it has not ended after `seconds`."""
    if child.poll() is None:
        child.send_signal(how)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(30)  # a busy machine takes its time to end a killed process


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, host: str = "127.0.0.1") -> int:
    """A port that is free at this moment; binding it later may fail, and needs another one then."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, for the error message of a child that did not start."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def alive(pid: int) -> bool:
    """Whether this process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


def wait_dead(pids: Sequence[int], seconds: float) -> list[int]:
    """Wait until none of these processes runs; return those that still run after `seconds`."""
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left
