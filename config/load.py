"""The routing folder as one value, or all its errors. As a process: read a folder."""

import gc
import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

from config.cache import Cache, CacheFile, KnownNumber, software
from config.errors import NOWHERE, ConfigErrors, FileError
from config.folder import Files, list_files
from config.number_files import NumberFiles
from config.packed import Packed
from config.policy import Policy
from config.prompts import built_in
from config.reading import Reading
from config.references import Folder, by_language
from config.reply import reply
from config.sub_routes import SubRoutes
from dialplan.lists import Lists
from dialplan.names import LANGUAGES
from dialplan.number import Owner
from dialplan.routing import BUILT_IN, Routing


def load(folder: Path, policy: Policy | None) -> Routing:
    """Return the routing in this folder. Raises ConfigErrors with all errors.

    Without a policy the folder is a version that was accepted before: its routes are not checked again,
    because a country that was removed from the settings, or a new holiday, must not affect a call that has
    begun.
    """
    return load_with_hashes(folder, policy)[0]


def load_with_hashes(
    folder: Path, policy: Policy | None, cache: Cache | None = None
) -> tuple[Routing, Mapping[str, str]]:
    """Return the routing, and the SHA-256 of each file by its path in the folder. Raises ConfigErrors.

    `cache`: what is known of the files already, under the same policy.
    """
    files = list_files(folder)
    reading = Reading(folder, list(files.errors), cache=cache or Cache())
    owners = reading.owners(files.owners)
    sub_routes = SubRoutes({text.file.stem: text for text in reading.texts(files.routes)})
    prompts = reading.prompts(files.prompts)
    lists: Lists = {**reading.caller_lists(files.callers), **reading.calendars(files.calendars)}
    number_files = NumberFiles(reading, sub_routes)
    number_files.open(files.numbers)
    sub_routes.check(reading)
    reading.errors += _twice(files.owners, "owner")
    reading.errors += _twice(files.callers, "list")
    reading.errors += _twice(files.routes, "sub-route")
    reading.errors += _twice(files.calendars, "calendar")
    reading.errors += number_files.twice()
    numbers = list(number_files.checked(_targets(files, reading, owners, number_files.keys), policy, lists))
    if reading.errors:
        raise ConfigErrors(reading.errors)
    routing = Routing(
        numbers=Packed({number.key: number.packed for number in numbers}),
        owners=owners,
        prompts={**built_in(), **prompts},
        digest=reading.digest,
        fallbacks={number.key: number.fallback for number in numbers if number.fallback},
        lists=lists,
    )
    return replace(routing, music=frozenset(_music(numbers, routing))), reading.hashes


def _targets(files: Files, reading: Reading, owners: Mapping[str, Owner], keys: frozenset[str]) -> Folder:
    """What the numbers of the folder may refer to."""
    return Folder(
        owners={file.stem: "" for file in files.owners}
        | {name: owner.language for name, owner in owners.items()},
        without_mail={name for name, owner in owners.items() if not owner.mail},
        notices={name: owner.recording_notice for name, owner in owners.items() if owner.recording_notice},
        audible=by_language(map(reading.prompt_name, files.prompts)),
        built_in=by_language(name.removeprefix(BUILT_IN) for name in built_in()),
        keys=keys,
        lists=frozenset(file.stem for file in files.callers),
        calendars=frozenset(file.stem for file in files.calendars),
    )


def _music(numbers: Iterable[KnownNumber], routing: Routing) -> Iterator[str]:
    """The SHA-256 of each prompt that is played instead of ringing, in each language that has its own.

    An owner may choose another language at any time.
    """
    for number in numbers:
        for name, language in product(number.music, LANGUAGES):
            if prompt := routing.prompt(name, language):
                yield prompt.sha256


def _twice(files: Iterable[Path], noun: str) -> Iterator[FileError]:
    first: dict[str, Path] = {}
    for file in files:
        if (other := first.setdefault(file.stem, file)) is not file:
            yield FileError(file, NOWHERE, "", f"this {noun} is also in {other}; rename one of the two files")


def load_cached(folder: Path, policy: Policy, file: CacheFile) -> Routing:
    """`load` with the cache in this file, which is written again. Raises ConfigErrors."""
    cache = file.cache()
    try:
        return load_with_hashes(folder, policy, cache)[0]
    finally:
        cache.write(file.path, file.rules)


def answer(folder: Path, policy: Policy, file: CacheFile) -> Routing | tuple[FileError, ...]:
    """Return the answer of the child: the routing, or the errors."""
    try:
        return load_cached(folder, policy, file)
    except ConfigErrors as error:
        return error.errors


if __name__ == "__main__":
    gc.disable()  # it lives for a second, and produces no garbage
    software()
    file = CacheFile(Path(sys.argv[1]), sys.argv[2])
    file.read_early()
    if arguments := sys.stdin.buffer.read():  # nothing: it is not needed any more
        folder, policy = pickle.loads(arguments)  # noqa: S301 - our parent's
        reply(answer(folder, policy, file))
