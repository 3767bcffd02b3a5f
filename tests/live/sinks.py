"""Every place where what a caller sent could be left, and which of them hold a given text."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from urllib.request import urlopen

import asyncpg
from click.testing import CliRunner

from cli.__main__ import main
from devkit.postgres import binaries
from tests.live.mails import mails
from tests.live.service import House, Service

SEPARATORS = b" ./()-"
_invoking = Lock()  # CliRunner takes standard output for itself


def canary() -> str:
    """A caller's number that stands nowhere yet: 11 random-looking digits, too many to come up by chance."""
    return f"+4915{secrets.randbelow(10**9):09d}"


@dataclass
class Sinks:
    """What each place holds, by its name: a command's output, or a path below the state folder."""

    held: Mapping[str, bytes]

    @cached_property
    def _unspaced(self) -> Mapping[str, bytes]:
        return {name: data.translate(None, SEPARATORS) for name, data in self.held.items()}

    def holding(self, number: str) -> list[str]:
        """The places where the number stands, in whatever spelling: +49 15.., 004915.., 4915.., 015../.. .

        What all spellings have in common are the digits after the country code.
        """
        digits = number.removeprefix("+49").encode()
        return [name for name, data in self._unspaced.items() if digits in data]

    def holding_text(self, text: str) -> list[str]:
        """The places where that text stands as it is."""
        return [name for name, data in self.held.items() if text.encode() in data]


async def all_sinks(service: Service) -> Sinks:
    """What all places hold now. Ask once the calls' records have reached the database."""
    house = service.house
    await write_out(house.run.database)
    return Sinks(
        {
            "dump": await output_of(house, binaries() / "pg_dump", house.run.database),
            "csv": await callengine(house, "calls", "--format", "csv"),
            "json": await callengine(house, "calls", "--format", "json"),
            "messages": await callengine(house, "messages", "--format", "json"),
            "mails": "\n".join(mail.text for mail in await asyncio.to_thread(mails, house)).encode(),
            "wire": "\n".join(service.network.wire).encode(errors="surrogateescape"),
            **{f"{part.name} metrics": metrics(part.health) for part in (house.engine, house.worker)},
            **files_below(house.state),
        }
    )


async def write_out(database: str) -> None:
    """Have PostgreSQL write all it holds to its files: it commits before it does (devkit.postgres)."""
    con = await asyncpg.connect(database)
    try:
        await con.execute("CHECKPOINT")
    finally:
        await con.close()


def files_below(folder: Path) -> dict[str, bytes]:
    return dict(each_file_below(folder))


def each_file_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file: journal, logs, CEL, spool, the database's own files; the name is held as well."""
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        try:
            data = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:  # PostgreSQL has done with it
            continue
        yield name, name.encode() + data


def metrics(health: str) -> bytes:
    with urlopen(f"{health}/metrics", timeout=5) as reply:  # noqa: S310 - our own http address
        data: bytes = reply.read()
    return data


async def callengine(house: House, *words: str) -> bytes:
    """What `callengine WORDS` prints, beside the running service. Fails with what it complains of.

    It runs in this process: one of its own would cost a second of CPU.
    """
    return await asyncio.to_thread(_invoke, *words, "--settings", str(house.state / "callengine.toml"))


def _invoke(*words: str) -> bytes:
    with _invoking:
        result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


async def output_of(house: House, program: Path, *words: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        program, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=house.run.full_environment(),
    )  # fmt: skip
    told, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return told
