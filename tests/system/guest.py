"""A Debian 13 that is booted with its own systemd, for tests of what the operating guide says."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from devkit.children import spawn, stop, tail

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callengine"
IMAGE = CACHE / "debian-13"
BOOT = ROOT / "scripts/boot-debian.sh"
BOOT_SECONDS = 60
# What a login shell of root has, and nothing of this machine's environment.
ENVIRONMENT = {
    "HOME": "/root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "DEBIAN_FRONTEND": "noninteractive",
}
UP = ("running", "degraded")


class Failed(Exception):
    """A command in the guest ended with an error; the message has its output."""


@dataclass(frozen=True)
class Guest:
    """A booted Debian. `pid`: its systemd, as this machine sees it. `scratch`: where what it writes lies."""

    pid: int
    scratch: Path

    def run(self, script: str, *, user: str = "root", seconds: float = 60) -> str:
        """Run it by bash, which ends at the first error; what it prints. Raises Failed."""
        shown = self.attempt(script, user=user, seconds=seconds)
        if shown.returncode != 0:
            raise Failed(f"{script}\nended with {shown.returncode}:\n{shown.stdout}{shown.stderr}")
        return shown.stdout

    def attempt(
        self, script: str, *, user: str = "root", seconds: float = 60
    ) -> "subprocess.CompletedProcess[str]":
        """Run it, whatever comes of it."""
        home, become = ("/root", []) if user == "root" else ("/", ["runuser", "-u", user, "--"])
        variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        command = ["env", "-i", *variables, *become, "bash", "-euo", "pipefail", "-c", f"cd {home}\n{script}"]
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C", "--", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    async def until(self, script: str, seconds: float = 20) -> str:
        """Run it again and again until it succeeds; what it printed then. Raises Failed."""
        deadline = time.monotonic() + seconds
        while True:
            shown = await asyncio.to_thread(self.attempt, script)
            if shown.returncode == 0:
                return shown.stdout
            if time.monotonic() > deadline:
                raise Failed(f"not within {seconds} s: {script}\n{shown.stdout}{shown.stderr}")
            await asyncio.sleep(0.2)

    def write(self, path: str, text: str) -> None:
        """Write a file of root's."""
        self.run(f"mkdir -p '{Path(path).parent}' && cat > '{path}' <<'END OF FILE'\n{text}\nEND OF FILE")

    def log(self, unit: str) -> str:
        """What a unit has logged since the boot."""
        return self.run(f"journalctl --no-pager -o short-monotonic -u {unit}")

    @contextmanager
    def network(self) -> Iterator[None]:
        """In the guest's network while the block runs: this thread, and threads that it starts.

        Sockets stay in the network that they were made in.
        """
        ours, theirs = (os.open(f"/proc/{who}/ns/net", os.O_RDONLY) for who in ("self", self.pid))
        try:
            os.setns(theirs, os.CLONE_NEWNET)
            yield
        finally:
            os.setns(ours, os.CLONE_NEWNET)
            os.close(ours)
            os.close(theirs)


def cannot_boot() -> str:
    """Why no Debian can be booted here; "" if it can."""
    checked = subprocess.run(
        [BOOT, "--check"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )
    if checked.returncode == 0 and not (IMAGE / "SHA256SUMS").exists():
        return "make system makes the Debian that is booted here"
    return checked.stdout.strip()


@contextmanager
def booted(packages: Path) -> Iterator[Guest]:
    """A Debian that nothing has been installed in. `packages`: a folder that it has as /srv/packages."""
    CACHE.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="system-", dir=CACHE))
    binds = [f"{IMAGE}/archive:/srv/debian", f"{packages}:/srv/packages"]
    console = scratch / "console"
    boot = spawn([BOOT, IMAGE / "root", scratch, *binds], console, farewell=signal.SIGKILL)
    try:
        yield _waited_for(boot, scratch, console)
    finally:
        _end(boot, scratch)
        shutil.rmtree(scratch, ignore_errors=True)


def _waited_for(boot: "subprocess.Popen[bytes]", scratch: Path, console: Path) -> Guest:
    """The guest once systemd has started what it starts. Raises Failed."""
    deadline = time.monotonic() + BOOT_SECONDS
    state = "nothing"
    while boot.poll() is None and time.monotonic() < deadline:
        if (noted := scratch / "pid").exists() and (pid := noted.read_text().strip()):
            guest = Guest(int(pid), scratch)
            state = guest.attempt("systemctl is-system-running").stdout.strip()
            if state in UP:
                return guest
        time.sleep(0.1)
    raise Failed(f"Debian is {state} after {BOOT_SECONDS} s or has ended: {tail(console, 40)}")


def _end(boot: "subprocess.Popen[bytes]", scratch: Path) -> None:
    """Kill its first process, and with it the kernel kills the others; nothing of it is needed any more."""
    if (noted := scratch / "pid").exists() and boot.poll() is None:
        with suppress(ProcessLookupError, ValueError):
            os.kill(int(noted.read_text()), signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            boot.wait(60)
    stop(boot, signal.SIGKILL)
