"""The failpoints between the journal and the owner's mail server, read from the sources: all of them."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeIs

from journal import fault

ROOT = Path(__file__).parents[2]
FILES = [*ROOT.glob("storage/**/*.py"), *ROOT.glob("mailer/**/*.py")]
FILES += [ROOT / "worker/drainer.py", ROOT / "journal/follower.py"]
FOLDERS = ("journal", "engine", "storage", "mailer", "worker")
POINT = fault.point.__name__
WHOLE_OR_NOT_AT_ALL = {
    *("migrate", "overview", "snapshot", "restoration", "erasure_request", "disclosures", "logins"),
    *("settings", "switches", "owner_changes", "passkeys"),
}


def points() -> list[str]:
    """The names of all of them."""
    return points_in(*FILES)


def all_points() -> list[str]:
    """The names of the whole product's failpoints, each as often as it is passed in the sources."""
    return points_in(*(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")))


def points_in(*files: Path) -> list[str]:
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    arguments = (node.args[0] for node in nodes if is_call(node, POINT))
    return sorted(str(named.value) for named in arguments if isinstance(named, ast.Constant))


def stretch(*kinds: str) -> list[str]:
    """The points of one stretch; those of a bucket are not among them."""
    return [name for name in points() if name.partition(".")[0] in kinds and "upload" not in name]


def bare_transactions() -> list[str]:
    """Functions with a transaction that writes, and no point before it or none after it.

    But for the schema's, and those of an operator's commands and an owner's login: each is all that there is.
    """
    return [
        f"{file.name}: {function.name}"
        for file in FILES
        if file.stem not in WHOLE_OR_NOT_AT_ALL
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for block in transactions(function)
        if not is_between_points(block, function)
    ]


def transactions(function: ast.AST) -> Iterator[ast.AsyncWith]:
    for node in ast.walk(function):
        if isinstance(node, ast.AsyncWith):
            entered = (item.context_expr for item in node.items)
            if any(is_call(call, "transaction") and not reads_only(call) for call in entered):
                yield node


def is_between_points(block: ast.AsyncWith, function: ast.AST) -> bool:
    lines = [node.lineno for node in ast.walk(function) if is_call(node, POINT)]
    return bool(lines) and min(lines) < block.lineno < max(lines)


def is_call(node: ast.AST, name: str) -> TypeIs[ast.Call]:
    return isinstance(node, ast.Call) and name == getattr(node.func, "id", getattr(node.func, "attr", ""))


def reads_only(call: ast.Call) -> bool:
    return "readonly" in {keyword.arg for keyword in call.keywords}
