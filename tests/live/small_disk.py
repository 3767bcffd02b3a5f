"""A disk of a few megabytes for some folders of a service, and what fills it."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

AT_MOST = 30.0  # s until it is full
SIZE = "64m"


@cache
def may_mount() -> bool:
    """Whether this user may mount a file system here."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
        if mounted.returncode == 0:
            subprocess.run(["umount", folder], check=True)
    return mounted.returncode == 0


@contextmanager
def small_disk(folder: Path, parts: Sequence[Path], size: str = SIZE) -> Iterator[None]:
    """These empty folders lie together on a file system of their own, which is mounted at `folder`."""
    mounted: list[Path] = []
    try:
        mount(mounted, folder, "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs")
        for number, part in enumerate(parts):
            (folder / str(number)).mkdir(mode=0o700)
            mount(mounted, part, "--bind", str(folder / str(number)))
        yield
    finally:
        for place in reversed(mounted):
            subprocess.run(["umount", "-l", str(place)], check=True)


def mount(mounted: list[Path], place: Path, *words: str) -> None:
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *words, str(place)], check=True)
    mounted.append(place)


@contextmanager
def read_only(*parts: Path) -> Iterator[None]:
    """Nobody can write to these folders: for root by a mount, for others by their modes."""
    mounted: list[Path] = []
    try:
        for part in parts:
            if may_mount():
                mount(mounted, part, "--bind", str(part))
                subprocess.run(["mount", "-o", "remount,bind,ro", str(part)], check=True)
            else:
                part.chmod(0o500)
        yield
    finally:
        for place in reversed(mounted):
            subprocess.run(["umount", "-l", str(place)], check=True)
        for part in parts:
            part.chmod(0o700)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """That disk is full: another log takes every byte which becomes free."""
    full, stop = threading.Event(), threading.Event()

    def fill() -> None:
        with (folder / "others.log").open("ab", buffering=0) as file:
            while not stop.is_set():
                try:
                    file.write(bytes(4096))
                except OSError:
                    full.set()
                    time.sleep(0.001)

    others = threading.Thread(target=fill, daemon=True)
    others.start()
    try:
        assert full.wait(AT_MOST)
        assert os.statvfs(folder).f_bavail == 0
        yield
    finally:
        stop.set()
        others.join()
        (folder / "others.log").unlink()
