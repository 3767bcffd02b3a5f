"""The routing folder: everything in it as one value, or everything that is wrong with it."""

import asyncio
import gc
import pickle
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from config import agreement
from config.errors import NOWHERE, ConfigErrors, FileError
from config.folder import list_files
from config.packed import Packed
from config.policy import Policy
from config.reading import Reading, Written
from dialplan.number import Owner, ServiceNumber
from dialplan.routing import Routing


def load(folder: Path, policy: Policy) -> Routing:
    """All owners, numbers and prompts of a routing folder; raises ConfigErrors with all that is wrong."""
    files = list_files(folder)
    reading = Reading(folder, list(files.errors))
    owners = reading.models(files.owners, Owner)
    numbers = reading.models(files.numbers, ServiceNumber)
    prompts = reading.prompts(files.prompts)
    reading.errors += _twice_owners(files.owners)
    reading.errors += _twice_numbers(numbers)
    known = agreement.Folder(
        owners={file.stem: None for file in files.owners} | {owner.file.stem: owner.says for owner in owners},
        prompts=frozenset(reading.prompt_name(file) for file in files.prompts),
        keys=frozenset(number.says.key for number in numbers),
    )
    for number in numbers:
        objections = agreement.objections(number.says, known, policy)
        reading.errors += (number.error(at, what) for at, what in objections)
    if reading.errors:
        raise ConfigErrors(reading.errors)
    return Routing(
        numbers={number.says.key: number.says for number in numbers},
        owners={owner.file.stem: owner.says for owner in owners},
        prompts=prompts,
        digest=reading.digest,
        fallbacks={number.says.key: number.says.fallback for number in numbers if number.says.fallback},
    )


def _twice_owners(files: Iterable[Path]) -> Iterator[FileError]:
    first: dict[str, Path] = {}
    for file in files:
        if (other := first.setdefault(file.stem, file)) is not file:
            yield FileError(file, NOWHERE, "", f"this owner is also in {other}; rename one of the two files")


def _twice_numbers(numbers: Sequence[Written[ServiceNumber]]) -> Iterator[FileError]:
    first: dict[str, Written[ServiceNumber]] = {}
    for number in numbers:
        if (other := first.setdefault(number.says.key, number)) is not number:
            what = f"{number.says.number} is also in {other.file}; remove one of the two"
            yield number.error(("number",), what)


async def load_in_process(folder: Path, policy: Policy, seconds: float = 30) -> Routing:
    """`load` in a process of its own, so that no call waits for it; killed when it takes too long.

    Raises ConfigErrors, also when the process did not come to an end.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "config.load", str(folder), *policy.countries),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await child.communicate()
    except TimeoutError:
        raise _unread(folder, f"reading it took more than {seconds:g} s; the machine is overloaded") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise _unread(folder, f"the process reading it ended with {child.returncode}; see its log above")
    routing = await asyncio.to_thread(pickle.loads, answer)  # our own child's
    if isinstance(routing, Routing):
        return routing
    raise ConfigErrors(routing)


def _unread(folder: Path, what: str) -> ConfigErrors:
    return ConfigErrors([FileError(folder, NOWHERE, "", what)])


def _answer() -> None:
    """The child: told the folder and the countries, writes the routing or the errors."""
    gc.disable()  # it lives for a second, and nothing it makes is garbage
    folder, *countries = sys.argv[1:]
    try:
        routing = load(Path(folder), Policy(frozenset(countries)))
        result: Routing | tuple[FileError, ...] = replace(routing, numbers=Packed(routing.numbers))
    except ConfigErrors as wrong:
        result = wrong.errors
    pickle.dump(result, sys.stdout.buffer)


if __name__ == "__main__":
    _answer()
