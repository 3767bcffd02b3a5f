"""Plain audio leaves storage/ for a person by two functions, which log the access."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.unit.test_architecture import ROOT, SOURCES

LOGGED = {"encrypted_store.EncryptedStore.fetch", "encrypted_store.EncryptedStore.open"}
# What `open` returns, after it has logged; nobody outside of storage/ makes one.
OPENED = {"sealed_audio.checked", "sealed_audio.SealedAudio.parts"}
OF_THE_OUTBOX_WORKER = {"encrypted_store.EncryptedStore.fetch_for_mail"}
OF_THE_SEALER = {
    "spool.Spool.read",
    "spool.Spool.read_sides",
    "spool.Spool.read_parts",
    "wave.whole",
    "wave.samples",
    "parts.Part.read",
    "parts.Line.blocks",
    "parts.lay",
    "parts.pieces",
    "conversation.join",
    "conversation.join_parts",
    "conversation.write",
    "conversation.blocks",
}
# Here bytes are keys, or sealed. What opens them is `open_sealed`, and nobody outside of storage/ may.
KEYS_AND_SEALED = {
    *(
        "key_wrapper",
        "keyring",
        "rotation",
        "objects",
        "directory",
        "s3",
        "erased_number",
        "api_tokens",
        "passkeys",
        "backup",
        "logins",
    ),
}
AUDIO_TYPES = {
    "bytes",
    "SealedAudio",
    "Conversation",
    "Sound",
    "Part",
    "Samples",
    "Frames",
    "Line",
    "Stretch",
    "NDArray",
}
DOORS = ("cli", "devkit")


def functions_of(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Those of the module and of its classes, by name."""
    for node in tree.body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        for function in inner:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
                yield f"{owner}{function.name}", function


def returns_audio(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    returned = ast.unparse(function.returns) if function.returns else ""
    return not AUDIO_TYPES.isdisjoint(re.findall(r"\w+", returned))


def public_functions_that_return_audio() -> set[str]:
    return {
        f"{file.stem}.{name}"
        for file in (ROOT / "storage").rglob("*.py")
        if file.stem not in KEYS_AND_SEALED and file.parent.name not in KEYS_AND_SEALED
        for name, function in functions_of(ast.parse(file.read_text()))
        if not name.rpartition(".")[2].startswith("_") and returns_audio(function)
    }


def names_used_in(file: Path) -> set[str]:
    used = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            used |= {alias.name for alias in node.names}
            used.add(getattr(node, "module", None) or "")
    return used


def test_every_function_that_returns_plain_audio_logs_it_or_is_the_workers_own() -> None:
    """A new one has to be put into one of these lists; one for a person logs, and has a test that it does."""
    assert public_functions_that_return_audio() == LOGGED | OPENED | OF_THE_OUTBOX_WORKER | OF_THE_SEALER


def test_only_the_worker_fetches_for_mail() -> None:
    users = {file.relative_to(ROOT).parts[0] for file in SOURCES if "fetch_for_mail" in names_used_in(file)}
    assert users == {"worker"}


def test_only_storage_opens_what_is_sealed() -> None:
    opening = {
        "open_sealed",
        "storage.sealed_audio",
        "SealedAudio",
        "keyring",
        "storage.keyring",
        "read_parts",
        "read_sides",
    }
    cookies = ROOT / "portal" / "secrets.py"  # sealed with a key of their own
    users = {
        file.relative_to(ROOT).parts[0]
        for file in SOURCES
        if names_used_in(file) & opening and file != cookies
    }
    assert users == {"storage"}


def test_a_door_only_reads_the_access_log() -> None:
    """One that added a line would have audio, or make a decision, that storage/ does not log."""
    imported = {
        alias.name
        for file in SOURCES
        if file.relative_to(ROOT).parts[0] in DOORS
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "storage.access"
        for alias in node.names
    }
    assert imported <= {"Looked", "find", "Actor", "this_process", "operator"}
    assert imported, "callengine recordings accesses reads it"
