"""The routing folder as one value, or all its errors."""

import gc
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from config.child import ChildError, answer_of, reply
from config.errors import NOWHERE, ConfigErrors, FileError
from config.folder import Files, list_files
from config.packed import Packed
from config.policy import Policy
from config.prompts import built_in
from config.reading import Reading, Text
from config.references import Folder, NumberReferences, by_language
from config.sub_routes import SubRoutes
from dialplan.caller_list import CallerList
from dialplan.number import Owner, ServiceNumber, dial_key
from dialplan.references import MusicName
from dialplan.rehearse import disagreements
from dialplan.routing import BUILT_IN, Routing
from dialplan.steps import visit


def load(folder: Path, policy: Policy | None) -> Routing:
    """Return the routing in this folder. Raises ConfigErrors with all errors.

    Without a policy the folder is a version that was accepted before: its routes are not checked again,
    because a country that was removed from the settings, or a new holiday, must not affect a call that has
    begun.
    """
    files = list_files(folder)
    reading = Reading(folder, list(files.errors))
    owners = reading.owners(files.owners)
    sub_routes = SubRoutes({text.file.stem: text for text in reading.texts(files.routes)})
    texts = sub_routes.put_in_place(reading.texts(files.numbers))
    prompts = reading.prompts(files.prompts)
    built_in_prompts = built_in()
    reading.errors += _twice(files.owners, "owner")
    reading.errors += _twice(files.callers, "list")
    reading.errors += _twice(files.routes, "sub-route")
    sub_routes.check(reading)
    reading.errors += _twice_numbers(texts)
    lists = reading.caller_lists(files.callers)
    targets = _targets(files, reading, owners, texts, built_in_prompts)
    numbers = list(_numbers(reading, texts, targets, policy, lists))
    if reading.errors:
        raise ConfigErrors(reading.errors)
    routing = Routing(
        numbers={number.key: number for number in numbers},
        owners=owners,
        prompts={**built_in_prompts, **prompts},
        digest=reading.digest,
        fallbacks={number.key: number.fallback for number in numbers if number.fallback},
        lists=lists,
    )
    return replace(routing, music=frozenset(_music(routing)))


def _targets(
    files: Files,
    reading: Reading,
    owners: Mapping[str, Owner],
    texts: Iterable[Text],
    built_in_prompts: Iterable[str],
) -> Folder:
    """What the numbers of the folder may refer to."""
    return Folder(
        owners={file.stem: "" for file in files.owners}
        | {name: owner.language for name, owner in owners.items()},
        without_mail={name for name, owner in owners.items() if not owner.mail},
        notices={name: owner.recording_notice for name, owner in owners.items() if owner.recording_notice},
        audible=by_language(map(reading.prompt_name, files.prompts)),
        built_in=by_language(name.removeprefix(BUILT_IN) for name in built_in_prompts),
        keys=frozenset(filter(None, map(_key, texts))),
        lists=frozenset(file.stem for file in files.callers),
    )


def _music(routing: Routing) -> Iterator[str]:
    """The SHA-256 of each prompt that is played instead of ringing, in each language that has its own."""
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
    """The numbers whose files have no error of their own. With a policy, rehearse their `expect`."""
    for text in texts:
        references = NumberReferences(folder, policy, _owner(text)) if policy else None
        if (number := reading.model(text, ServiceNumber, references)) is not None:
            yield number
            if policy is not None:
                reading.errors += _violations(text, number, lists)


def _violations(text: Text, number: ServiceNumber, lists: Mapping[str, CallerList]) -> Iterator[FileError]:
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
    """Return the dial key of a number, whatever errors its file has."""
    match text.document.value:
        case {"number": str(number)}:
            return dial_key(number)
        case _:
            return None


def packed(routing: Routing) -> Routing:
    """Return the same routing, small enough to be sent to another process, and to be cached."""
    return replace(routing, numbers=Packed(routing.numbers))


async def load_in_process(folder: Path, policy: Policy, seconds: float = 30) -> Routing:
    """`load` in a process of its own, so that no call waits for it; it is killed if it takes too long.

    Raises ConfigErrors, also if the process did not end by itself.
    """
    try:
        routing = await answer_of("config.load", str(folder), *policy.countries, seconds=seconds)
    except ChildError as error:
        raise ConfigErrors([FileError(folder, NOWHERE, "", f"the process reading it {error}")]) from None
    if isinstance(routing, Routing):
        return routing
    raise ConfigErrors(routing)


def _answer() -> None:
    """The child: its arguments are the folder and the countries; it writes the routing, or the errors."""
    gc.disable()  # it lives for a second, and produces no garbage
    folder, *countries = sys.argv[1:]
    try:
        result: Routing | tuple[FileError, ...] = packed(load(Path(folder), Policy(frozenset(countries))))
    except ConfigErrors as error:
        result = error.errors
    reply(result)


if __name__ == "__main__":
    _answer()
