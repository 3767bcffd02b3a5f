"""What a quickstart has made, in a file beside the settings: each thing is listed before it is made."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cli.quickstart.contents import SECRET, Written
from cli.quickstart.wish import QuickstartError

NAME = "quickstart.json"


@dataclass(slots=True)
class Made:
    """`files`: each with its text from before, None for a new one. `number`: that of the test call.

    `bucket`: its settings but for the secret key, which is among the files.
    """

    file: Path
    number: str = ""
    database: bool = False
    units: bool = False
    bucket: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path) -> "Made":
        """What an earlier run has made. Raises QuickstartError if there was none."""
        file = folder / NAME
        try:
            return cls(file, **json.loads(file.read_text("utf-8")))
        except FileNotFoundError:
            raise QuickstartError(f"{file} is missing: no quickstart has made anything here") from None

    def save(self) -> None:
        """Replace the file, durably."""
        values = {name: value for name, value in asdict(self).items() if name != "file"}
        draft = self.file.with_suffix(".draft")
        write_whole(draft, Written(json.dumps(values, indent=1), SECRET))
        draft.replace(self.file)

    def write(self, files: dict[Path, Written]) -> None:
        """List all, then write them."""
        self.files |= {str(path): text_of(path) for path in files}
        self.save()
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)

    def unwrite(self) -> None:
        """Remove each file, or give it its text of before."""
        for name, before in self.files.items():
            if before is None:
                Path(name).unlink(missing_ok=True)
                remove_empty_drop_in(Path(name).parent)
            else:
                write_whole(Path(name), Written(before))


def remove_empty_drop_in(folder: Path) -> None:
    """systemd's folder of a unit's drop-ins, unless somebody else has one there."""
    if folder.name.endswith(".service.d") and not any(folder.iterdir()):
        folder.rmdir()


def text_of(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def write_whole(path: Path, content: Written) -> None:
    """Write it with its mode from the beginning: no password is readable for a moment."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, content.mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content.text)
        file.flush()
        os.fsync(file.fileno())
