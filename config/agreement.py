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
from dialplan.number import LANGUAGES, RecordingPolicy, dial_key
from dialplan.prompt import VOICEMAIL_PROMPTS


@dataclass(frozen=True, slots=True)
class Folder:
    """What a number may refer to.

    `owners`: each one's language, empty where his own file is wrong; `without_mail`: who has no address;
    `notices`: who announces recordings by a prompt of his own, and which;
    `heard`: the prompts there are in a language, in any for the empty one; `built_in`: those brought along;
    `keys`: the dial keys of all own numbers.
    """

    owners: Mapping[str, str]
    without_mail: Set[str]
    notices: Mapping[str, str]
    heard: Mapping[str, Set[str]]
    built_in: Mapping[str, Set[str]]
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
    announced = mentioned(route, ("route",), "announce", "prompt")
    greetings = mentioned(route, ("route",), "voicemail", "greeting")
    for at, prompt in [*announced, *greetings, *_music(route)]:
        if _is(check_name, prompt) and prompt not in heard:
            remedy = _near(prompt, heard) or f"put the file at prompts/{prompt}.wav"
            yield at, f"there is no prompt `{prompt}`; {remedy}"
    for at, _ in written(route, ("route",), "voicemail"):
        yield from ((at, what) for what in _of_voicemail(owner, folder))
    yield from ((("record",), what) for what in _of_recording(number.get("record"), owner, folder))
    rung = mentioned(route, ("route",), "ring", "to")
    for at, to in [*_texts(number.get("fallback"), ("fallback",)), *rung]:
        if _is(check_e164, to) and (what := _objection(to, folder, policy)):
            yield at, what


def mentioned(route: Any, at: At, step: str, setting: str) -> Iterator[tuple[At, str]]:
    """The texts of this setting of this step, wherever in the route: alone, in a list, or by its name."""
    for here, settings in written(route, at, step):
        yield from _texts(settings, here, setting, "number")


def _music(route: Any) -> Iterator[tuple[At, str]]:
    """What is to be heard instead of ringing; what stands alone in a ring is a number."""
    for at, ring in written(route, ("route",), "ring"):
        if isinstance(ring, dict) and isinstance(ring.get("music"), str):
            yield (*at, "music"), ring["music"]


def written(route: Any, at: At, step: str) -> Iterator[tuple[At, Any]]:
    """This step wherever it stands in the route, with what is written for it."""
    entries: Iterable[tuple[str | int, Any]] = ()
    if isinstance(route, dict):
        entries = route.items()
    elif isinstance(route, list):
        entries = enumerate(route)
    for key, inner in entries:
        here = (*at, key)
        if key == step:
            yield here, inner
        yield from written(inner, here, step)


def _texts(found: Any, at: At, *settings: str) -> Iterator[tuple[At, str]]:
    """The texts here: `a`, `[a, b]`, `{setting: a}`, `{setting: [a, {number: b}]}`."""
    match found:
        case str():
            yield at, found
        case list():
            for index, entry in enumerate(found):
                yield from _texts(entry, (*at, index), *settings)
        case dict():
            for setting in settings:
                yield from _texts(found.get(setting), (*at, setting), *settings)


def _of_voicemail(owner: str, folder: Folder) -> Iterator[str]:
    """What keeps this owner's numbers from taking messages."""
    if owner in folder.without_mail:
        yield f"{owner} has no address for messages; write  mail: office@acme.example  in owners/{owner}.yaml"
    if language := folder.owners.get(owner):
        for name in sorted({*VOICEMAIL_PROMPTS} - folder.heard[language] - folder.built_in[language]):
            yield f"there is no prompt `{name}` in {language}; put the file at prompts/{language}/{name}.wav"


def _of_recording(record: Any, owner: str, folder: Folder) -> Iterator[str]:
    """What keeps this owner's callers from hearing that they are recorded."""
    language = folder.owners.get(owner)
    if language and isinstance(record, str) and record in set(RecordingPolicy):
        name = folder.notices.get(owner) or RecordingPolicy(record).announcement
        if record != RecordingPolicy.OFF and name not in folder.heard[language] | folder.built_in[language]:
            yield f"there is no prompt `{name}` in {language}; put the file at prompts/{language}/{name}.wav"


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
