"""External effects in the sources, found by their syntax: what a kill may leave half done."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("journal", "engine", "storage", "mailer", "worker")
POINT = "point"
ON_FILES = frozenset(
    {"fsync", "fdatasync", "rename", "unlink", "link", "truncate", "ftruncate", "pwrite", "posix_fallocate",
     "write_bytes", "write_text", "sync", "sync_directory"}
)  # fmt: skip
ON_OBJECTS = frozenset({"put", "delete"})  # awaited
ON_STORES = frozenset({"put_object", "delete_object", "abort_multipart_upload"})  # told to _ask
ON_MAIL = frozenset({"mail", "rcpt", "data"})  # of _client
ON_SQL = frozenset({"execute", "fetch", "fetchrow", "fetchval"})
WRITES = re.compile(
    r"\b(INSERT INTO|UPDATE \w|DELETE FROM|TRUNCATE|GRANT |REVOKE |CREATE |ALTER |keys\.(begin|end)_epoch"
    r"|pg_switch_wal)"
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class Effect:
    """`where`: FILE: FUNCTION, with its class where it has one."""

    where: str
    what: str


def effects_without_point() -> dict[str, set[str]]:
    """The functions that have an external effect and no failpoint: where, and which effects."""
    found: dict[str, set[str]] = {}
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            for effect in effects_in(file):
                found.setdefault(effect.where, set()).add(effect.what)
    return found


def effects_in(file: Path, root: Path = ROOT) -> Iterator[Effect]:
    module = ast.parse(file.read_text("utf-8"))
    statements = dict(constants(module))
    for name, function in functions(module):
        if not any(is_call_of(node, POINT) for node in ast.walk(function)):
            where = f"{file.relative_to(root)}: {name}"
            yield from (Effect(where, what) for what in effects_of(function, statements))


def functions(module: ast.Module) -> Iterator[tuple[str, Function]]:
    for node in module.body:
        if isinstance(node, Function):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, Function):
                    yield f"{node.name}.{inner.name}", inner


def effects_of(function: Function, statements: Mapping[str, str]) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call) and is_on_objects(node.value):
            yield f"object {called(node.value)}"
        if isinstance(node, ast.Call):
            yield from effects_of_call(node, statements)


def effects_of_call(call: ast.Call, statements: Mapping[str, str]) -> Iterator[str]:
    name = called(call)
    if name in ON_FILES or (name == "replace" and len(call.args) == 1 and not call.keywords):
        yield name
    elif (
        name == "_ask"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value in ON_STORES
    ):
        yield str(call.args[0].value)
    elif name in ON_MAIL and "_client" in ast.unparse(call.func):
        yield f"SMTP {name}"
    elif name == "transaction" and "readonly" not in {keyword.arg for keyword in call.keywords}:
        yield "transaction"
    elif name in ON_SQL and call.args and WRITES.search(text_of(call.args[0], statements)):
        yield "SQL"


def is_on_objects(call: ast.Call) -> bool:
    return called(call) in ON_OBJECTS and "objects" in ast.unparse(call.func)


def is_on_store(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    return called(call) == "_ask" and isinstance(first, ast.Constant) and first.value in ON_STORES


def called(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))


def is_call_of(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and called(node) == name


def text_of(argument: ast.expr, statements: Mapping[str, str]) -> str:
    """The SQL, as far as it stands in this file."""
    if isinstance(argument, ast.Name):
        return statements.get(argument.id, "")
    return "".join(
        str(node.value)
        for node in ast.walk(argument)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def constants(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            texts = [it.value for it in ast.walk(node.value) if isinstance(it, ast.Constant)]
            yield node.targets[0].id, "".join(text for text in texts if isinstance(text, str))
