"""Versions that operators put live by command: the link that leads to one, and who changed it, when and why.

The engine reads the routing folder of its settings. Where that is a symbolic link, it is changed in one step
to another stored version: no reader sees a folder that is half one version and half another.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from config.copies import sync
from config.versions import Versions

HISTORY = "applied.jsonl"


class NoLinkError(Exception):
    """The routing folder of the settings is a folder itself, which cannot be replaced in one step."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A version was put live. `source`: the folder that it was read from; empty for a rollback."""

    at: datetime
    digest: str
    operator: str
    host: str
    reason: str
    source: str

    def as_json(self) -> str:
        return json.dumps({**asdict(self), "at": self.at.isoformat()}, ensure_ascii=False)


def check_link(routing: Path) -> None:
    """Raise NoLinkError if the routing folder of the settings cannot be switched to another version."""
    if routing.exists() and not routing.is_symlink():
        raise NoLinkError(routing)


def put_live(routing: Path, versions: Versions, applied: Applied) -> None:
    """Let the link lead to this stored version, and add it to the history. Raises NoLinkError, OSError."""
    check_link(routing)
    _add(versions.root / HISTORY, applied)
    draft = routing.with_name(f".{routing.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.symlink_to((versions.root / applied.digest).absolute())
    draft.rename(routing)
    sync(routing.parent)


def history(versions: Versions) -> list[Applied]:
    """Return what was put live by command, the latest first. A damaged line is left out."""
    try:
        lines = (versions.root / HISTORY).read_text("utf-8").splitlines()
    except OSError:
        return []
    return [*_parsed(reversed(lines))]


def _parsed(lines: Iterator[str]) -> Iterator[Applied]:
    for line in lines:
        try:
            fields = json.loads(line)
            yield Applied(**{**fields, "at": datetime.fromisoformat(fields["at"])})
        except (ValueError, TypeError, KeyError):
            continue


def _add(file: Path, applied: Applied) -> None:
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        if os.geteuid() == 0:
            owner = file.parent.stat()
            os.fchown(opened, owner.st_uid, owner.st_gid)
        os.write(opened, f"{applied.as_json()}\n".encode())
        os.fsync(opened)
    finally:
        os.close(opened)
