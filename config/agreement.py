"""What one file cannot know: whether owners, prompts and numbers fit together, and where calls may go.

Looked for in the text of a file, not in its models: so it is told beside whatever else is wrong with it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from config.errors import At
from config.policy import Policy
from dialplan.model import check_e164, check_name
from dialplan.number import LANGUAGES, dial_key


@dataclass(frozen=True, slots=True)
class Folder:
    """What a number may refer to.

    `owners`: each one's language, empty where his own file is wrong; `heard`: the prompts there are in a
    language, in any for the empty one; `keys`: the dial keys of all own numbers.
    """

    owners: Mapping[str, str]
    heard: Mapping[str, Set[str]]
    keys: Set[str]


def by_language(prompts: Iterable[str]) -> Mapping[str, Set[str]]:
    """Prompts as `name` or `language/name` -> the names that callers of each language can hear."""
    split = [(language, name) for language, _, name in (prompt.rpartition("/") for prompt in prompts)]
    heard = {own: {name for language, name in split if language in ("", own)} for own in LANGUAGES}
    return heard | {"": {name for _, name in split}}


def objections(number: Any, folder: Folder, policy: Policy) -> Iterator[tuple[At, str]]:
    """Everything in the text of a number that does not fit, each with its path."""
    if not isinstance(number, dict):
        return
    owner, route = str(number.get("owner")), number.get("route")
    if "owner" in number and _is(check_name, owner) and owner not in folder.owners:
        remedy = _near(owner, folder.owners) or f"write owners/{owner}.yaml"
        yield ("owner",), f"there is no owner `{owner}`; {remedy}"
    heard = folder.heard[folder.owners.get(owner, "")]
    for at, prompt in mentioned(route, ("route",), "announce", "prompt"):
        if _is(check_name, prompt) and prompt not in heard:
            remedy = _near(prompt, heard) or f"put the file at prompts/{prompt}.wav"
            yield at, f"there is no prompt `{prompt}`; {remedy}"
    rung = mentioned(route, ("route",), "ring", "to")
    for at, to in [*_texts(number.get("fallback"), ("fallback",)), *rung]:
        if _is(check_e164, to) and (what := _objection(to, folder, policy)):
            yield at, what


def mentioned(written: Any, at: At, step: str, setting: str) -> Iterator[tuple[At, str]]:
    """The texts of this setting of this step, wherever in the route: alone, in a list, or by its name."""
    entries: Iterable[tuple[str | int, Any]] = ()
    if isinstance(written, dict):
        entries = written.items()
    elif isinstance(written, list):
        entries = enumerate(written)
    for key, inner in entries:
        here = (*at, key)
        if key == step:
            yield from _texts(inner, here, setting, "number")
        yield from mentioned(inner, here, step, setting)


def _texts(written: Any, at: At, *settings: str) -> Iterator[tuple[At, str]]:
    """The texts here: `a`, `[a, b]`, `{setting: a}`, `{setting: [a, {number: b}]}`."""
    match written:
        case str():
            yield at, written
        case list():
            for index, entry in enumerate(written):
                yield from _texts(entry, (*at, index), *settings)
        case dict():
            for setting in settings:
                yield from _texts(written.get(setting), (*at, setting), *settings)


def _objection(to: str, folder: Folder, policy: Policy) -> str | None:
    if dial_key(to) in folder.keys:
        return f"{to} is a service number of this folder, and the call would come back; write where it rings"
    return policy.objection(to)


def _is(check: Callable[[str], str], text: str) -> bool:
    """Does this check let it pass? What it does not, the models complain of."""
    try:
        return bool(check(text))
    except ValueError:
        return False


def _near(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, known, 1)
    return f"did you mean `{near[0]}`?" if near else ""
