"""What one file cannot know: whether owners, prompts and numbers fit together, and where calls may go."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from difflib import get_close_matches

from config.errors import At
from config.policy import Policy
from dialplan.number import Owner, ServiceNumber, dial_key
from dialplan.rehearse import disagreements
from dialplan.steps import Announce, Ring, visit


@dataclass(frozen=True, slots=True)
class Folder:
    """What a number may refer to. `owners`: None for a file that is wrong itself; `keys`: all own numbers."""

    owners: Mapping[str, Owner | None]
    prompts: Set[str]
    keys: Set[str]


def objections(number: ServiceNumber, folder: Folder, policy: Policy) -> Iterator[tuple[At, str]]:
    """Everything about this number that does not fit, each with its path in the number's file."""
    yield from _owner(number, folder)
    yield from _prompts(number, folder)
    yield from _destinations(number, folder, policy)
    yield from _expectations(number)


def _owner(number: ServiceNumber, folder: Folder) -> Iterator[tuple[At, str]]:
    if number.owner not in folder.owners:
        remedy = _near(number.owner, folder.owners) or f"write owners/{number.owner}.yaml"
        yield ("owner",), f"there is no owner `{number.owner}`; {remedy}"


def _prompts(number: ServiceNumber, folder: Folder) -> Iterator[tuple[At, str]]:
    owner = folder.owners.get(number.owner)
    for at, step in visit(number.route):
        if isinstance(step, Announce) and not _has_prompt(step.prompt, owner, folder.prompts):
            remedy = _near(step.prompt, folder.prompts) or f"put the file at prompts/{step.prompt}.wav"
            yield (*at, "prompt"), f"there is no prompt `{step.prompt}`; {remedy}"


def _has_prompt(name: str, owner: Owner | None, prompts: Set[str]) -> bool:
    if name in prompts:
        return True
    if owner is None:  # its own error is told already; do not blame the number for it
        return any(prompt.endswith(f"/{name}") for prompt in prompts)
    return f"{owner.language}/{name}" in prompts


def _destinations(number: ServiceNumber, folder: Folder, policy: Policy) -> Iterator[tuple[At, str]]:
    rings = ((at, step) for at, step in visit(number.route) if isinstance(step, Ring))
    for at, to in [((*at, "to", i), str(to)) for at, ring in rings for i, to in enumerate(ring.to)]:
        if what := _objection(to, folder, policy):
            yield at, what
    if number.fallback and (what := _objection(number.fallback, folder, policy)):
        yield ("fallback",), what


def _objection(to: str, folder: Folder, policy: Policy) -> str | None:
    if dial_key(to) in folder.keys:
        return f"{to} is a service number of this folder, and the call would come back; write where it rings"
    return policy.objection(to)


def _expectations(number: ServiceNumber) -> Iterator[tuple[At, str]]:
    for index, expect in enumerate(number.expect):
        for key, what in disagreements(number, expect):
            yield ("expect", index, key), what


def _near(word: str, known: Mapping[str, object] | Set[str]) -> str:
    near = get_close_matches(word, known, 1)
    return f"did you mean `{near[0]}`?" if near else ""
