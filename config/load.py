"""The routing folder: everything in it as one value, or everything that is wrong with it."""

import gc
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from config import agreement
from config.child import ChildError, answer_of, reply
from config.errors import NOWHERE, ConfigErrors, FileError
from config.folder import list_files
from config.packed import Packed
from config.policy import Policy
from config.prompts import built_in
from config.reading import Reading, Written
from dialplan.number import Owner, ServiceNumber, dial_key
from dialplan.rehearse import disagreements
from dialplan.routing import BUILT_IN, Routing
from dialplan.steps import Ring, visit


def load(folder: Path, policy: Policy | None) -> Routing:
    """All owners, numbers and prompts of a routing folder; raises ConfigErrors with all that is wrong.

    Without a policy the folder is a version that has been accepted before: its routes are not judged again,
    because a country taken out of the settings, or a new holiday, must not reach a call that has begun.
    """
    files = list_files(folder)
    reading = Reading(folder, list(files.errors))
    owners = reading.models(files.owners, Owner)
    numbers = reading.models(files.numbers, ServiceNumber)
    prompts = reading.prompts(files.prompts)
    brought = built_in()
    known = agreement.Folder(
        owners={file.stem: "" for file in files.owners} | _languages(owners),
        without_mail={owner.file.stem for owner in owners if owner.says and not owner.says.mail},
        notices=_notices(owners),
        heard=agreement.by_language(map(reading.prompt_name, files.prompts)),
        built_in=agreement.by_language(name.removeprefix(BUILT_IN) for name in brought),
        keys=frozenset(filter(None, map(_key, numbers))),
    )
    reading.errors += _twice_owners(files.owners)
    reading.errors += _twice_numbers(numbers)
    if policy is not None:
        for number in numbers:
            reading.errors += _disagreements(number, known, policy)
    if reading.errors:
        raise ConfigErrors(reading.errors)
    said = [number.says for number in numbers if number.says]
    routing = Routing(
        numbers={number.key: number for number in said},
        owners={owner.file.stem: owner.says for owner in owners if owner.says},
        prompts={**brought, **prompts},
        digest=reading.digest,
        fallbacks={number.key: number.fallback for number in said if number.fallback},
    )
    return replace(routing, music=frozenset(_music(routing)))


def _music(routing: Routing) -> Iterator[str]:
    """The SHA-256 of each prompt that is heard instead of ringing: of each language that has its own."""
    for number in routing.numbers.values():
        for _, step in visit(number.route):
            name = step.music if isinstance(step, Ring) else None
            prompt = routing.prompt(name, routing.owner(number).language) if name else None
            if prompt is not None:
                yield prompt.sha256


def _disagreements(
    number: Written[ServiceNumber], known: agreement.Folder, policy: Policy
) -> Iterator[FileError]:
    """What does not fit the rest of the folder; and what a file that is right in itself expects in vain."""
    for at, what in agreement.objections(number.document.value, known, policy):
        yield number.error(at, what)
    if number.says is None:
        return
    for index, expect in enumerate(number.says.expect):
        for key, what in disagreements(number.says, expect):
            yield number.error(("expect", index, key), what)


def _languages(owners: Iterable[Written[Owner]]) -> dict[str, str]:
    return {owner.file.stem: owner.says.language for owner in owners if owner.says}


def _notices(owners: Iterable[Written[Owner]]) -> dict[str, str]:
    said = {owner.file.stem: owner.says for owner in owners if owner.says}
    return {name: owner.recording_notice for name, owner in said.items() if owner.recording_notice}


def _twice_owners(files: Iterable[Path]) -> Iterator[FileError]:
    first: dict[str, Path] = {}
    for file in files:
        if (other := first.setdefault(file.stem, file)) is not file:
            yield FileError(file, NOWHERE, "", f"this owner is also in {other}; rename one of the two files")


def _twice_numbers(numbers: Sequence[Written[ServiceNumber]]) -> Iterator[FileError]:
    first: dict[str, Written[ServiceNumber]] = {}
    for number in numbers:
        if (key := _key(number)) and (other := first.setdefault(key, number)) is not number:
            yield number.error(("number",), f"+{key} is also in {other.file}; remove one of the two")


def _key(number: Written[ServiceNumber]) -> str | None:
    """The dial key of a number that can be read, whatever else is wrong with its file."""
    match number.document.value:
        case {"number": str(text)}:
            return dial_key(text)
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
