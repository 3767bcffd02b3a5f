"""The files of numbers: those that are known from earlier readings, and those that are parsed and checked."""

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from config.cache import KnownNumber, Question
from config.errors import FileError
from config.policy import Policy
from config.reachable import unreachable
from config.reading import Reading, Text
from config.references import Folder, NumberReferences
from config.ringing import objections
from config.sub_routes import SubRoutes
from dialplan.address import is_address
from dialplan.lists import Lists
from dialplan.number import ServiceNumber, dial_key
from dialplan.references import MusicName
from dialplan.rehearse import disagreements
from dialplan.steps import visit

# The folders of what a number looks up, by the question that its file raises.
LISTS = {"caller_list": "callers/", "calendar": "calendars/"}
OTHERS = ("routes/", *LISTS.values())


@dataclass(slots=True)
class NumberFiles:
    """The numbers of a folder, with their files. `known`: from earlier readings; `texts`: the others.

    `known` is a list: a dict would compute the hashes of thousands of paths, each in 2 us.
    """

    reading: Reading
    sub_routes: SubRoutes
    known: list[tuple[Path, KnownNumber]] = field(default_factory=list)
    texts: dict[Path, Text] = field(default_factory=dict)
    contents: frozenset[str] = frozenset()

    def open(self, files: Iterable[Path]) -> None:
        """Read what is not known. To be called after the sub-routes and the lists of callers were read."""
        hashes = self.reading.hashes.items()
        self.contents = frozenset(f"{name} {sha256}" for name, sha256 in hashes if name.startswith(OTHERS))
        others = []
        for file, known in self.reading.known_numbers(files):
            if known is not None and known.contents <= self.contents:
                self.known.append((file, known))
            else:
                others.append(file)
        self._parse(others)

    @property
    def keys(self) -> frozenset[str]:
        """The dial keys of all numbers."""
        known = {known.key for _, known in self.known}
        return frozenset(known.union(filter(None, map(_key, self.texts.values()))))

    def twice(self) -> Iterator[FileError]:
        """An error for each number that is in another file too."""
        keys: list[tuple[Path, str | None]] = [(file, known.key) for file, known in self.known]
        keys += [(file, _key(text)) for file, text in self.texts.items()]
        if len({key for _, key in keys}) == len(keys):
            return  # as nearly always; sorting thousands of paths takes 10 ms
        first: dict[str, Path] = {}
        for file, key in sorted(keys, key=lambda it: str(it[0])):
            if key and (other := first.setdefault(key, file)) is not file:
                text = self.texts.get(file) or next(iter(self.reading.texts([file])))
                yield text.error(("number",), f"+{key} is also in {other}; remove one of the two")

    def checked(self, folder: Folder, policy: Policy | None, lists: Lists) -> Iterator[KnownNumber]:
        """The numbers that are right. Errors of the others are collected.

        Without a policy the folder is a version that was accepted before: references are not checked again.
        """
        if policy is not None:
            self._read_again(self._no_longer_right(folder, policy))
        for text in self.texts.values():
            if (number := self._of_text(text, folder, policy, lists)) is not None:
                yield number
        yield from (known for _, known in self.known)

    def _read_again(self, files: list[Path]) -> None:
        if files:
            self._parse(files)
            again = set(files)
            self.known = [(file, known) for file, known in self.known if file not in again]

    def _parse(self, files: list[Path]) -> None:
        texts = self.reading.texts(files)
        self.texts |= {text.file: text for text in self.sub_routes.put_in_place(texts)}

    def _no_longer_right(self, folder: Folder, policy: Policy) -> list[Path]:
        """The known numbers that refer to something missing, or of which a destination is a number of ours.

        Numbers of one owner mostly refer to the same: each question is answered once.
        """

        @cache
        def is_there(owner: str, asked: tuple[Question, ...]) -> bool:
            references = NumberReferences(folder, policy, owner)
            return all(getattr(references, kind)(argument) is None for kind, argument in asked)

        return [
            file
            for file, known in self.known
            if not (known.destinations.isdisjoint(folder.keys) and is_there(known.owner, known.asked))
        ]

    def _of_text(self, text: Text, folder: Folder, policy: Policy | None, lists: Lists) -> KnownNumber | None:
        errors_before = len(self.reading.errors)
        asking = Asking(NumberReferences(folder, policy, _owner(text))) if policy else None
        number = self.reading.model(text, ServiceNumber, asking)
        if number is None:
            return None
        if policy is not None and not policy.accepted:
            self.reading.errors += _violations(text, number, lists)
            wrong = [*unreachable(number.route, ("route",))]
            if not self.sub_routes.errors:  # with some, other steps are in the place of sub-routes
                wrong += objections(number.route)
            self.reading.errors += (text.error(at, what) for at, what in wrong)
        known = _known(number, asking, self._contents_of(text, asking))
        if asking and len(self.reading.errors) == errors_before and not self.sub_routes.errors:
            self.reading.add_number(text.file, known)
        return known

    def _contents_of(self, text: Text, asking: "Asking | None") -> frozenset[str]:
        """The sub-routes, lists and calendars on which this number may depend."""
        asked = {LISTS[kind] for kind, _ in asking.asked if kind in LISTS} if asking else set()
        return frozenset(
            it
            for it in self.contents
            if (text.used and it.startswith("routes/")) or it.startswith(tuple(asked))
        )


@dataclass(slots=True)
class Asking:
    """References that store what they were asked: `dialplan.references.References` for one file."""

    references: NumberReferences
    asked: set[Question] = field(default_factory=set)
    destinations: set[str] = field(default_factory=set)

    def owner(self, name: str) -> str | None:
        self.asked.add(("owner", name))
        return self.references.owner(name)

    def prompt(self, name: str) -> str | None:
        self.asked.add(("prompt", name))
        return self.references.prompt(name)

    def destination(self, number: str) -> str | None:
        if is_address(number):
            self.asked.add(("destination", number))  # a domain may lose its trunk at any time
        else:
            self.destinations.add(dial_key(number))
        return self.references.destination(number)

    def announcement(self, prompt: str) -> str | None:
        self.asked.add(("announcement", prompt))
        return self.references.announcement(prompt)

    def built_in(self, prompts: tuple[str, ...]) -> str | None:
        self.asked.add(("built_in", prompts))
        return self.references.built_in(prompts)

    def mail(self) -> str | None:
        self.asked.add(("mail", ""))
        return self.references.mail()

    def caller_list(self, name: str) -> str | None:
        self.asked.add(("caller_list", name))
        return self.references.caller_list(name)

    def calendar(self, name: str) -> str | None:
        self.asked.add(("calendar", name))
        return self.references.calendar(name)


def _known(number: ServiceNumber, asking: Asking | None, contents: frozenset[str]) -> KnownNumber:
    music = {name for _, step in visit(number.route) for name in step.values_of(MusicName)}
    return KnownNumber(
        number.key,
        number.owner,
        number.fallback,
        tuple(sorted(music)),
        pickle.dumps(number),
        tuple(sorted(asking.asked, key=str)) if asking else (),
        frozenset(asking.destinations) if asking else frozenset(),
        contents,
    )


def _violations(text: Text, number: ServiceNumber, lists: Lists) -> Iterator[FileError]:
    """The keys of `expect` that the route violates."""
    for index, expect in enumerate(number.expect):
        for key, what in disagreements(number, expect, lists):
            yield text.error(("expect", index, key), what)


def _owner(text: Text) -> str:
    """Return the owner of a number, whatever errors its file has; empty if there is none."""
    match text.document.value:
        case {"owner": str(name)}:
            return name
        case _:
            return ""


def _key(text: Text) -> str | None:
    """Return the dial key of a number, whatever errors its file has."""
    match text.document.value:
        case {"number": str(number)}:
            return dial_key(number)
        case _:
            return None
