"""What is different between two routing folders, in words: numbers, owners, sub-routes, prompts, lists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from cli.outline import Line, outline
from config.yaml_text import UnreadableError, read

# The parts of a folder whose files are YAML, and what one of them is.
NOUNS: Mapping[str, str] = {"numbers": "number", "owners": "owner", "routes": "sub-route"}
MOST_SHOWN = 50
OTHERS: Mapping[str, str] = {"prompts": "prompt", "callers": "list of callers", "calendars": "calendar"}


@dataclass(frozen=True, slots=True)
class Change:
    """One number, owner, file ... `kind`: its noun. `lines`: what changed in it."""

    kind: str
    what: str
    name: str
    lines: tuple[str, ...] = ()

    def text(self) -> Iterator[str]:
        yield f"{self.what} {self.kind} {self.name}"
        yield from (f"    {line}" for line in self.lines)


def difference(
    before: Path, hashes_before: Mapping[str, str], after: Path, hashes_after: Mapping[str, str]
) -> list[Change]:
    """Return the changes between two folders, whose files have these SHA-256. Only changed files are read."""
    names = {*hashes_before, *hashes_after}
    changed = sorted(name for name in names if hashes_before.get(name) != hashes_after.get(name))
    changes: list[Change] = []
    for part, noun in NOUNS.items():
        files = [name for name in changed if name.startswith(f"{part}/")]
        old = _documents(before, [name for name in files if name in hashes_before])
        new = _documents(after, [name for name in files if name in hashes_after])
        changes += _compared(noun, old, new)
    for part, noun in OTHERS.items():
        for name in changed:
            if name.startswith(f"{part}/"):
                what = _what(name in hashes_before, name in hashes_after)
                changes.append(Change(noun, what, name.removeprefix(f"{part}/")))
    return changes


def shown(changes: list[Change]) -> Iterator[str]:
    """Return the lines that describe the changes; of very many only the first."""
    for change in changes[:MOST_SHOWN]:
        yield from change.text()
    if (more := len(changes) - MOST_SHOWN) > 0:
        yield f"... and {more} more"


def counted(changes: list[Change]) -> str:
    """Return the sentence that counts them: 1 number changed, 2 numbers added."""
    counts: dict[tuple[str, str], int] = {}
    for change in changes:
        counts[change.kind, change.what] = counts.get((change.kind, change.what), 0) + 1
    words = [f"{count} {_plural(kind, count)} {what}" for (kind, what), count in counts.items()]
    return ", ".join(words) or "nothing is different"


def _compared(noun: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            value = new.get(name, old.get(name))
            lines = tuple(_indented(line) for line in outline(value)) if name in new else ()
            yield Change(noun, _what(name in old, name in new), name, lines)
        elif lines := tuple(changed_lines(outline(old[name]), outline(new[name]))):
            yield Change(noun, "changed", name, lines)


def changed_lines(old: list[Line], new: list[Line]) -> Iterator[str]:
    """Return what changed between two outlines: `ring: seconds 20 -> 30`, `+ hangup: busy`."""
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = old[i1:i2], new[j1:j2]
        if kind == "equal":
            continue
        if [line[:2] for line in gone] == [line[:2] for line in come]:
            for before, after in zip(gone, come, strict=True):
                yield f"{_path(old, old.index(before))}: {_settings_changed(before, after)}"
            continue
        yield from (f"- {_indented(line)}" for line in gone)
        yield from (f"+ {_indented(line)}" for line in come)


def _settings_changed(before: Line, after: Line) -> str:
    old, new = dict(before.settings), dict(after.settings)
    words = []
    for name in {**old, **new}:
        label = f"{name} " if name else ""
        if name not in new:
            words.append(f"without {label}{old[name]}".rstrip())
        elif name not in old:
            words.append(f"with {label}{new[name]}".rstrip())
        elif old[name] != new[name]:
            words.append(f"{label}{old[name]} -> {new[name]}")
    return ", ".join(words)


def _path(lines: list[Line], place: int) -> str:
    """Return the names of a line and of those that it is in: `route.hours.closed.announce`."""
    path, depth = [lines[place].name], lines[place].depth
    for line in reversed(lines[:place]):
        if line.depth < depth:
            path.append(line.name)
            depth = line.depth
    return ".".join(reversed(path))


def _indented(line: Line) -> str:
    return f"{'  ' * line.depth}{line.text}"


def _documents(folder: Path, names: list[str]) -> dict[str, Any]:
    """The values of these files: numbers by their number, others by the name of their file."""
    values = {}
    for name in names:
        try:
            value = read((folder / name).read_bytes()).value
        except (UnreadableError, OSError):
            continue
        number = value.get("number") if isinstance(value, dict) else None
        values[str(number) if number and name.startswith("numbers/") else Path(name).stem] = value
    return values


def _what(is_before: bool, is_after: bool) -> str:
    return "changed" if is_before and is_after else "added" if is_after else "removed"


def _plural(noun: str, count: int) -> str:
    if count == 1:
        return noun
    return noun.replace("list of", "lists of") if " of " in noun else f"{noun}s"
