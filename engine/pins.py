"""PINs of numbers and owners, by which a caller may put a switch on: keyed hashes in the state folder.

`callengine pin` writes them. The key is a file of its own: the file of hashes alone says nothing of a PIN,
which has only some digits.
"""

import hmac
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from threading import Lock
from time import monotonic

import structlog

from engine.pin_tries import PinTries

log = structlog.get_logger()

FILE, KEY_FILE = "pins.json", "pins.key"
SHORTEST, LONGEST = 6, 12  # digits


class Pins:
    """The PINs of this node, read again for each try: there are few. Tries are counted in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tries = PinTries()
        self._counting = Lock()  # calls try in threads: two at once must not be counted as one

    def is_right(self, pin: str, number: str, owner: str, caller: str) -> bool:
        """Whether this is the PIN of the number; of its owner, if the number has none. Blocks.

        `caller`: their number, "" if it is withheld or unknown.
        """
        pins = read(self._folder)
        target = number if number in pins else owner
        if target not in pins:
            log.warning("pin_refused", target=target, why="there is none")
            return False
        right = pins[target]["hash"]
        is_right = hmac.compare_digest(hashed(self._folder, target, pin), right)
        with self._counting:
            why = self._tries.why_locked(target, caller, right, now := monotonic())
            if is_right and not why:
                self._tries.right(target, caller, right)
                return True
            if not why:
                self._tries.wrong(target, caller, right, now)
        log.warning("pin_refused", target=target, why=why or "wrong")
        return False


def objection(pin: str) -> str | None:
    """Return why this is not a PIN, or one that is guessed first; None if it may be used."""
    if not (pin.isascii() and pin.isdecimal() and SHORTEST <= len(pin) <= LONGEST):
        return f"a PIN has {SHORTEST} to {LONGEST} digits, and nothing else"
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return "these digits are guessed first; take others" if steps in ({0}, {1}, {9}) else None


def write(folder: Path, target: str, pin: str | None, by: str) -> None:
    """Set the PIN of a number or owner; None removes it. Raises OSError.

    The files belong to the owner of the folder, also if root writes them, and nobody else can read them.
    """
    pins = dict(read(folder))
    if pin is None:
        pins.pop(target, None)
    else:
        entry = {"hash": hashed(folder, target, pin), "by": by, "at": datetime.now(UTC).isoformat()}
        pins[target] = entry
    _replace(folder / FILE, json.dumps(pins, indent=1).encode())


def read(folder: Path) -> Mapping[str, Mapping[str, str]]:
    """Return the entries; none if the file is missing or damaged."""
    try:
        entries = json.loads((folder / FILE).read_bytes())
        return {str(target): {**entry, "hash": str(entry["hash"])} for target, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as wrong:
        log.warning("pins_unreadable", file=str(folder / FILE), why=type(wrong).__name__)
        return {}


def hashed(folder: Path, target: str, pin: str) -> str:
    """Return the keyed hash of the PIN. Raises OSError."""
    return hmac.digest(_key(folder), f"{target} {pin}".encode(), "sha256").hex()


def _key(folder: Path) -> bytes:
    file = folder / KEY_FILE
    with suppress(FileNotFoundError):
        return file.read_bytes()
    _replace(file, secrets.token_bytes(32))
    return file.read_bytes()


def _replace(file: Path, data: bytes) -> None:
    """Replace the file. A link in its place is replaced, not followed."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
        folder = file.parent.stat()
        with suppress(PermissionError):
            os.fchown(opened.fileno(), folder.st_uid, folder.st_gid)
    draft.replace(file)
