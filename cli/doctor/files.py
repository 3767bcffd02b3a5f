"""Files and folders: passwords, rights, room, what Asterisk leaves to the worker and the engine."""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from cli.doctor.finding import Finding
from cli.doctor.scene import Scene

CREDENTIALS = ("ari__password", "ari__events_password", "database", "master_key")
LOW_BYTES = 2 * 10**9  # below it nothing is recorded (engine/disk.py)
LOW_FILES = 10_000
SPOOL_SECONDS = 3600
CEL_BYTES = 64 * 2**20  # the engine rotates at 16 MiB


async def credentials(scene: Scene) -> list[Finding]:
    """Each password is a file that only root can read."""
    folder = scene.credentials
    if not os.access(folder, os.R_OK | os.X_OK):
        return [Finding(f"{folder} cannot be read", "run this as root")]
    findings = [finding for name in CREDENTIALS for finding in of_credential(folder / name)]
    return [*findings, *(found for file in sorted(folder.iterdir()) for found in of_rights(file))]


def of_credential(file: Path) -> Iterator[Finding]:
    if not file.exists() or not file.read_text("utf-8", "replace").strip():
        yield Finding(f"{file} is missing or empty", "docs/operating.md, Installing, says what to write")


def of_rights(file: Path) -> Iterator[Finding]:
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield Finding(f"{file} can be read by others than its owner", f"chmod 600 {file}")


def folders_of(scene: Scene) -> list[Path]:
    """The folders that calls are written to."""
    settings = scene.settings
    return [settings.state, settings.asterisk.recordings, settings.asterisk.cel.parent]


async def folders(scene: Scene) -> list[Finding]:
    """Each folder is there, and closed to others."""
    etc = scene.settings.asterisk.etc_dir
    findings = [
        finding for folder in [*folders_of(scene), *([etc] if etc else [])] for finding in of_folder(folder)
    ]
    if etc is None:
        what = "asterisk.etc_dir is not set: without the engine no caller reaches a fallback"
        findings.append(Finding(what, 'etc_dir = "/etc/asterisk" in [asterisk]'))
    return findings


def of_folder(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        yield Finding(
            f"{folder} is missing", "systemd-tmpfiles --create, or create it for the user that writes there"
        )
    elif stat.S_IMODE(folder.stat().st_mode) & 0o007:
        yield Finding(f"{folder} is open to every user", f"chmod o-rwx {folder}")


async def disk(scene: Scene) -> list[Finding]:
    """There is room for recordings, messages and records."""
    return [found for folder in folders_of(scene) if folder.is_dir() for found in of_room(folder)]


def of_room(folder: Path) -> Iterator[Finding]:
    free, files = shutil.disk_usage(folder).free, os.statvfs(folder)
    if free < LOW_BYTES:
        what = f"{folder} has {free / 1e9:.1f} GB free; below {LOW_BYTES / 1e9:.0f} GB nothing is recorded"
        yield Finding(what, "make room")
    if files.f_files and files.f_favail < LOW_FILES:
        yield Finding(
            f"{folder} has room for {files.f_favail} files only",
            "remove files, or make a file system with more inodes",
        )


async def spool(scene: Scene) -> list[Finding]:
    """The worker seals what Asterisk records: plain audio does not stay."""
    folder = scene.settings.asterisk.recordings
    if not folder.is_dir():
        return []
    old = [file for file in folder.iterdir() if file.is_file() and age_of(file) > SPOOL_SECONDS]
    if not old:
        return []
    what = f"{len(old)} files in {folder} were last written over an hour ago"
    return [Finding(what, "the worker's /ready and log say why it seals nothing")]


async def cel(scene: Scene) -> list[Finding]:
    """The engine rotates the file that call records come from."""
    file = scene.settings.asterisk.cel
    if not file.exists() or file.stat().st_size < CEL_BYTES:
        return []
    what = f"{file} has {file.stat().st_size / 2**20:.0f} MiB; the engine rotates it at 16"
    return [Finding(what, "the engine's log says why (cel_not_rotated): modes of the folder")]


def age_of(file: Path) -> float:
    """Seconds since it was written."""
    return time.time() - file.stat().st_mtime
