"""The routing folder: everything in it as one value, or everything that is wrong with it."""

import gc
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from config.child import ChildError, answer_of, reply
from config.errors import NOWHERE, ConfigErrors, FileError
from config.folder import list_files
from config.packed import Packed
from config.policy import Policy
from config.prompts import built_in
from config.reading import Reading, Text
from config.references import Folder, NumberReferences, by_language
from config.sub_routes import SubRoutes
from dialplan.caller_list import CallerList
from dialplan.number import ServiceNumber, dial_key
from dialplan.references import MusicName
from dialplan.rehearse import disagreements
from dialplan.routing import BUILT_IN, Routing
from dialplan.steps import visit
from dialplan.sub_route import SubRoute


def load(folder: Path, policy: Policy | None) -> Routing:
    """All owners, numbers and prompts of a routing folder; raises ConfigErrors with all that is wrong.

    Without a policy the folder is a version that has been accepted before: its routes are not judged again,
    because a country taken out of the settings, or a new holiday, must not reach a call that has begun.
    """
    files = list_files(folder)
    reading = Reading(folder, list(files.errors))
    owners = reading.owners(files.owners)
    sub_routes = SubRoutes({text.file.stem: text for text in reading.texts(files.routes)})
    texts = sub_routes.put_in_place(reading.texts(files.numbers))
    prompts = reading.prompts(files.prompts)
    brought = built_in()
    folder_has = Folder(
        owners={file.stem: "" for file in files.owners}
        | {name: owner.language for name, owner in owners.items()},
        without_mail={name for name, owner in owners.items() if not owner.mail},
        notices={name: owner.recording_notice for name, owner in owners.items() if owner.recording_notice},
        heard=by_language(map(reading.prompt_name, files.prompts)),
        built_in=by_language(name.removeprefix(BUILT_IN) for name in brought),
        keys=frozenset(filter(None, map(_key, texts))),
        lists=frozenset(file.stem for file in files.callers),
    )
    reading.errors += _twice(files.owners, "owner")
    reading.errors += _twice(files.callers, "list")
    reading.errors += _twice(files.routes, "sub-route")
    for text in sub_routes.all:
        reading.model(text, SubRoute)
    reading.errors += sub_routes.errors
    reading.errors += _twice_numbers(texts)
    lists = reading.caller_lists(files.callers)
    numbers = list(_numbers(reading, texts, folder_has, policy, lists))
    if reading.errors:
        raise ConfigErrors(reading.errors)
    routing = Routing(
        numbers={number.key: number for number in numbers},
        owners=owners,
        prompts={**brought, **prompts},
        digest=reading.digest,
        fallbacks={number.key: number.fallback for number in numbers if number.fallback},
        lists=lists,
    )
    return replace(routing, music=frozenset(_music(routing)))


def _music(routing: Routing) -> Iterator[str]:
    """The SHA-256 of each prompt that is heard instead of ringing: of each language that has its own."""
    for number in routing.numbers.values():
        for _, step in visit(number.route):
            for name in step.values_of(MusicName):
                if prompt := routing.prompt(name, routing.owner(number).language):
                    yield prompt.sha256


def _numbers(
    reading: Reading,
    texts: Iterable[Text],
    folder: Folder,
    policy: Policy | None,
    lists: Mapping[str, CallerList],
) -> Iterator[ServiceNumber]:
    """The numbers that are right in themselves. Their `expect` is rehearsed where there is a policy."""
    for text in texts:
        references = NumberReferences(folder, policy, _owner(text)) if policy else None
        if (number := reading.model(text, ServiceNumber, references)) is not None:
            yield number
            if policy is not None:
                reading.errors += _disappointments(text, number, lists)


def _disappointments(
    text: Text, number: ServiceNumber, lists: Mapping[str, CallerList]
) -> Iterator[FileError]:
    """What the file expects of its route in vain."""
    for index, expect in enumerate(number.expect):
        for key, what in disagreements(number, expect, lists):
            yield text.error(("expect", index, key), what)


def _owner(text: Text) -> str:
    """The name of a number's owner, whatever else is wrong with its file; empty where there is none."""
    match text.document.value:
        case {"owner": str(name)}:
            return name
        case _:
            return ""


def _twice(files: Iterable[Path], noun: str) -> Iterator[FileError]:
    first: dict[str, Path] = {}
    for file in files:
        if (other := first.setdefault(file.stem, file)) is not file:
            yield FileError(file, NOWHERE, "", f"this {noun} is also in {other}; rename one of the two files")


def _twice_numbers(texts: Iterable[Text]) -> Iterator[FileError]:
    first: dict[str, Text] = {}
    for text in texts:
        if (key := _key(text)) and (other := first.setdefault(key, text)) is not text:
            yield text.error(("number",), f"+{key} is also in {other.file}; remove one of the two")


def _key(text: Text) -> str | None:
    """The dial key of a number, whatever else is wrong with its file."""
    match text.document.value:
        case {"number": str(number)}:
            return dial_key(number)
        case _:
            return None


def packed(routing: Routing) -> Routing:
    """The same routing, small enough to be handed from one process to the next, and to be kept."""
    return replace(routing, numbers=Packed(routing.numbers))


async def load_in_process(folder: Path, policy: Policy, seconds: float = 30) -> Routing:
    """`load` in a process of its own, so that no call waits for it; killed when it takes too long.

    Raises ConfigErrors, also when the process did not come to an end.
    """
    try:
        routing = await answer_of("config.load", str(folder), *policy.countries, seconds=seconds)
    except ChildError as wrong:
        raise ConfigErrors([FileError(folder, NOWHERE, "", f"the process reading it {wrong}")]) from None
    if isinstance(routing, Routing):
        return routing
    raise ConfigErrors(routing)


def _answer() -> None:
    """The child: told the folder and the countries, writes the routing or the errors."""
    gc.disable()  # it lives for a second, and nothing it makes is garbage
    folder, *countries = sys.argv[1:]
    try:
        result: Routing | tuple[FileError, ...] = packed(load(Path(folder), Policy(frozenset(countries))))
    except ConfigErrors as wrong:
        result = wrong.errors
    reply(result)


if __name__ == "__main__":
    _answer()
