"""The rows of the matrix: every fault, and for how long it lasts."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

from tests.faults.breaking import (
    by_copy,
    by_date,
    by_rename,
    by_rename_and_gzip,
    cel_rotated,
    disk_full,
    disk_read_only,
    disk_slow,
    failed_over,
    failing,
    frozen,
    killed,
    log_unread,
    mail_does,
    refused,
    stopped,
    store_lies,
    store_slow,
    swallowed,
)
from tests.faults.field import Field
from tests.faults.flipping import cel_bit_flipped, journal_bit_flipped, object_bit_flipped
from tests.faults.flooding import half_open, idle_connections, keys, mutated, twice
from tests.store.smtp import Ways

Fault = Callable[[Field], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Row:
    """A fault, and for how long it lasts. `small`: in the small tier too; `on_disk`: needs the small disk."""

    name: str
    fault: Fault
    seconds: float = 3.0
    small: bool = False
    on_disk: bool = False


def of(fault: Callable[..., AbstractAsyncContextManager[None]], *arguments: object) -> Fault:
    """The fault with these arguments behind the field."""

    def broken(field: Field) -> AbstractAsyncContextManager[None]:
        return fault(field, *arguments)

    return broken


def greylisted(verb: str, _argument: str) -> str | None:
    return "450 4.2.0 greylisted, come again" if verb == "RCPT" else None


TARPIT = Ways(silent_after="DATA")
RESETS: Mapping[str, Ways] = {
    **{verb: Ways(cut_after=verb) for verb in ("EHLO", "MAIL", "RCPT", "354")},
    "answer lost": Ways(cut_after="dot"),
}
PARTS = {"engine": "the engine", "worker": "the worker", "asterisk": "Asterisk", "postgres": "PostgreSQL",
         "objects": "the object store"}  # fmt: skip
SMALL = {
    ("killed", "engine"),
    ("killed", "asterisk"),
    ("killed", "worker"),
    ("killed", "postgres"),
    ("frozen", "worker"),
}


def process_rows() -> list[Row]:
    """kill -9, SIGTERM and SIGSTOP of every part."""
    return [
        Row(f"{whom}: {words}", of(fault, name), small=(fault.__name__, name) in SMALL)
        for name, whom in PARTS.items()
        for fault, words in ((killed, "kill -9"), (stopped, "SIGTERM"), (frozen, "SIGSTOP, SIGCONT"))
    ]


ROWS: tuple[Row, ...] = (
    *process_rows(),
    Row("the engine is away for 10 s", of(killed, "engine"), seconds=10.0),
    Row("the database is away", of(refused, "postgres"), small=True),
    Row("the database is a black hole", of(swallowed, "postgres"), seconds=8.0),
    Row("the object store is away", of(refused, "objects"), small=True),
    Row("the object store is a black hole", of(swallowed, "objects"), seconds=8.0),
    Row("the object store is slow", store_slow, seconds=6.0),
    Row("the object store sends wrong bytes", store_lies, seconds=6.0),
    Row("the database fails over, and lacks its last second", failed_over),
    Row("the mail server is away", of(refused, "mail")),
    Row("the mail server is a black hole", of(swallowed, "mail")),
    *(Row(f"SMTP: reset after {verb}", of(mail_does, verb, ways)) for verb, ways in RESETS.items()),
    Row("SMTP: tarpit", of(mail_does, "tarpit", TARPIT)),
    Row("SMTP: greylisting", of(mail_does, "greylisting", Ways(reply=greylisted))),
    Row("disk of journal and CEL: full", disk_full, on_disk=True, small=True),
    Row("disk of the engine's state: read-only", disk_read_only, on_disk=True),
    Row("disk of the journal: each fsync takes 1 s", disk_slow, seconds=6.0),
    Row("journal: fsync fails", of(failing, "engine", "journal.before_sync:20:raise")),
    Row("journal: every allocation fails", of(failing, "engine", "journal.before_allocation:1+:full")),
    Row("object: fsync of an upload fails", of(failing, "worker", "object.after_upload:2:raise")),
    Row("journal: a bit flipped", journal_bit_flipped, seconds=6.0),
    Row("CEL: a bit flipped", cel_bit_flipped),
    Row("object: a bit flipped", object_bit_flipped),
    Row("log: nobody reads the engine's", log_unread),
    Row("flood: half-open calls to two numbers", half_open),
    Row("flood: 2,000 mutated SIP messages", of(mutated, 2_000), seconds=1.0),
    Row("flood: 1,000 keys a second", keys, seconds=4.0),
    Row("flood: idle connections on every port", idle_connections, seconds=6.0),
    Row("a second engine", of(twice, "engine"), seconds=1.0),
    Row("a second worker under the same name", of(twice, "worker"), seconds=1.0),
    *(
        Row(f"CEL: rotated {how}", partial(cel_rotated, rotate=rotate), seconds=4.0)
        for how, rotate in (
            ("by rename", by_rename),
            ("by rename and gzip", by_rename_and_gzip),
            ("by date", by_date),
            ("by copy and truncate", by_copy),
        )
    ),
)
