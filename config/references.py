"""Checks across files: whether owners, prompts and numbers fit together, and where calls may go."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from difflib import get_close_matches

from config.policy import Policy
from dialplan.address import is_address
from dialplan.names import LANGUAGES
from dialplan.number import dial_key


@dataclass(frozen=True, slots=True)
class Folder:
    """What the numbers of a folder may refer to.

    `owners`: the language of each owner, empty if the owner's file has an error; `without_mail`: owners
    without an address; `notices`: the prompt of each owner with an announcement of their own; `audible`: the
    prompts in each language, of all languages for the empty one; `built_in`: likewise, of the built-in
    prompts; `keys`: the dial keys of all numbers; `lists`: the names of the lists of callers.
    """

    owners: Mapping[str, str]
    without_mail: Set[str]
    notices: Mapping[str, str]
    audible: Mapping[str, Set[str]]
    built_in: Mapping[str, Set[str]]
    keys: Set[str]
    lists: Set[str] = frozenset()
    calendars: Set[str] = frozenset()


def by_language(prompts: Iterable[str]) -> Mapping[str, Set[str]]:
    """Return the names of prompts that callers of each language can hear, from `name` or `language/name`."""
    split = [(language, name) for language, _, name in (prompt.rpartition("/") for prompt in prompts)]
    audible = {own: {name for language, name in split if language in ("", own)} for own in LANGUAGES}
    return audible | {"": {name for _, name in split}}


@dataclass(frozen=True, slots=True)
class NumberReferences:
    """What a number of this owner may refer to: `dialplan.references.References` for one file."""

    folder: Folder
    policy: Policy
    number_owner: str

    def owner(self, name: str) -> str | None:
        if name in self.folder.owners:
            return None
        return f"there is no owner `{name}`; {_near(name, self.folder.owners) or f'write owners/{name}.yaml'}"

    def prompt(self, name: str) -> str | None:
        audible = self.folder.audible[self._language]
        if name in audible:
            return None
        remedy = _near(name, audible) or f"put the file at prompts/{name}.wav"
        return f"there is no prompt `{name}`; {remedy}"

    def destination(self, number: str) -> str | None:
        if not is_address(number) and dial_key(number) in self.folder.keys:
            return (
                f"{number} is a service number of this folder, and the call would come back; "
                "write where it rings"
            )
        return self.policy.objection(number)

    def announcement(self, prompt: str) -> str | None:
        return self.built_in((self.folder.notices.get(self.number_owner, prompt),))

    def built_in(self, prompts: tuple[str, ...]) -> str | None:
        """A file of the owner with this name counts too."""
        if not (language := self._language):
            return None
        available = self.folder.audible[language] | self.folder.built_in[language]
        for name in prompts:
            if name not in available:
                place = f"prompts/{language}/{name}.wav"
                return f"there is no prompt `{name}` in {language}; put the file at {place}"
        return None

    def mail(self, _: str = "") -> str | None:
        owner = self.number_owner
        if owner not in self.folder.without_mail:
            return None
        return (
            f"{owner} has no address for messages; write  mail: office@acme.example  in owners/{owner}.yaml"
        )

    def caller_list(self, name: str) -> str | None:
        if name in self.folder.lists:
            return None
        remedy = _near(name, self.folder.lists) or f"put the file at callers/{name}.txt"
        return f"there is no list of callers `{name}`; {remedy}"

    def calendar(self, name: str) -> str | None:
        if name in self.folder.calendars:
            return None
        remedy = _near(name, self.folder.calendars) or f"put the file at calendars/{name}.ics"
        return f"there is no calendar `{name}`; {remedy}"

    @property
    def _language(self) -> str:
        return self.folder.owners.get(self.number_owner, "")


def _near(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, known, 1)
    return f"did you mean `{near[0]}`?" if near else ""
