"""The outbox: mails a second and the duration of a claim, with many other records in the database."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import cast

import asyncpg

from bench.calls import quantile
from bench.sipp import SPEECH
from devkit.mailbox import authority, identity_of
from dialplan.delivery import Delivery
from journal.ids import call_id_of
from mailer.compose import Sender
from mailer.mail_sender import MailSender
from mailer.outbox import Terms, claim
from mailer.outbox_worker import OutboxWorker
from mailer.post import Post, Smarthost
from mailer.return_address import ReturnAddresses
from mailer.sessions import Sessions
from mailer.smtp import Server, SmtpIdentity
from mailer.tls import verifying
from storage import lease
from storage.destruction import TO_SHRED
from storage.key_wrapper import new_key
from storage.messages import post
from storage.sealing import TO_SEAL
from worker.jobs import CONNECTIONS, nothing_to_reset

NODE = "bench"
HOST = "localhost"
SENDER = Sender("voicemail@provider.example", "Voicemail")
ADDRESSES = ReturnAddresses([new_key()])
TERMS = Terms(NODE, timedelta(minutes=20), window=timedelta(0), kept=timedelta(days=30), smarthost=HOST)
TO_ONE = Delivery(("office@bench.example",), None, "en", "mp3", "Europe/Brussels", False, "")
CLAIMS = 300
MAILS_SECONDS = 120.0
LONGEST_LINE = 16_000_000

WAITING = """
INSERT INTO message (message_id, kind, call_id, owner, number, caller, withheld, began, outcome, deliver,
    state)
SELECT id, $2, gen_random_uuid(), 'bench', '+32800000007', '+32471234567', false, now(), 'voicemail', $3,
    'waiting'
FROM unnest($1::text[]) AS id
"""
SOUNDS = """
INSERT INTO audio (audio_id, kind, call_id, owner, node, state, began, seconds, sha256, destroy_after)
SELECT id, 'message', gen_random_uuid(), 'bench', $2, $3, now(), 4.2, 'x', $4
FROM unnest($1::text[]) AS id
"""
FORGET = "DELETE FROM {} WHERE {} = ANY($1)"


class Lost(Exception):
    """A mail was not accepted, or arrived twice."""


async def claims(con: asyncpg.Connection) -> dict[str, float]:
    """Milliseconds of a claim: the median of three hundred sequential ones."""
    durations = {}
    ids = await leave(con, CLAIMS, "missed")
    durations["outbox"] = await median_ms(partial(claim, con, TERMS))
    await forget(con, ids)
    now = await con.fetchval("SELECT now()")
    for name, state, due, statement in (
        ("seal", "recorded", None, TO_SEAL),
        ("destroy", "stored", now, TO_SHRED),
    ):
        await con.execute(SOUNDS, ids, NODE, state, due)
        durations[name] = await median_ms(partial(lease.claim, con, statement, NODE))
        await forget(con, ids)
    return durations


async def median_ms(take: Callable[[], Awaitable[object]]) -> float:
    durations = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        if await take() is None:
            raise RuntimeError("nothing was claimed, although something was due")
        durations.append((time.perf_counter() - began) * 1000)
    return quantile(durations, 0.5)


async def mailed(con: asyncpg.Connection, url: str, folder: Path, kind: str, mails: int) -> float:
    """Mails a second to one server with STARTTLS: `missed` has only text, `voicemail` an MP3 of four seconds.

    Measured from the first claim to the last stored answer. Raises TimeoutError, Lost.
    """
    results, done = list[str](), asyncio.Event()

    def on_result(result: str) -> None:
        results.append(result)
        if len(results) == mails:
            done.set()

    async with fast_server(folder) as server, pool_of(url) as pool:
        ids = await leave(con, mails, kind)
        outbox_worker, sessions = outbox_worker_to(server, on_result)
        began = time.perf_counter()
        sending = asyncio.create_task(outbox_worker.run(pool))
        try:
            await asyncio.wait_for(done.wait(), MAILS_SECONDS)
            took = time.perf_counter() - began
        finally:
            sending.cancel()
            await asyncio.wait({sending})
            await sessions.close()
    await forget(con, ids)
    if server.taken != [1] * mails or set(results) != {"accepted"}:
        raise Lost(f"of {mails} mails {sum(server.taken)} have arrived, with results {set(results)}")
    return mails / took


def outbox_worker_to(server: "Fast", on_result: Callable[[str], None]) -> tuple[OutboxWorker, Sessions]:
    wav = SPEECH.read_bytes()

    async def fetch(_con: asyncpg.Connection, _audio_id: str) -> bytes:
        return wav

    sessions = Sessions(SmtpIdentity("engine.provider.example", verifying(server.authority)))
    post_office = Post(Smarthost(Server(HOST, server.port)), sessions)
    return OutboxWorker(
        MailSender(post_office, SENDER, ADDRESSES), fetch, TERMS, on_result=on_result
    ), sessions


async def leave(con: asyncpg.Connection, count: int, kind: str) -> list[str]:
    """Add `count` messages that are due, with audio if they are voicemail; return their ids."""
    ids = [f"{call_id_of(token_hex(8), 'bench')}-vm1" for _ in range(count)]
    if kind == "voicemail":
        await con.execute(SOUNDS, ids, NODE, "stored", None)
    await con.execute(WAITING, ids, kind, json.dumps(TO_ONE.as_json()))
    await post(con, ids)
    return ids


async def forget(con: asyncpg.Connection, ids: list[str]) -> None:
    """Delete these messages; their outbox rows are deleted with them."""
    for table, column in (("message", "message_id"), ("attempt", "message_id"), ("audio", "audio_id")):
        await con.execute(FORGET.format(table, column), ids)


@dataclass
class Fast:
    """A running bench.fast_smtp; `taken`, after its end: how often each mail has arrived."""

    port: int
    authority: Path
    taken: list[int] = field(default_factory=list)


@asynccontextmanager
async def fast_server(folder: Path) -> AsyncIterator[Fast]:
    identity_of(folder)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.fast_smtp", str(folder)),
        stdout=PIPE,
        stdin=DEVNULL,
        limit=LONGEST_LINE,
    )
    output = cast("asyncio.StreamReader", process.stdout)
    try:
        fast = Fast(int(await output.readline()), authority(folder))
        yield fast
        process.terminate()
        fast.taken = list(json.loads(await output.readline()).values())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def pool_of(url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool like the worker's."""
    async with asyncpg.create_pool(url, min_size=0, max_size=CONNECTIONS, reset=nothing_to_reset) as pool:
        yield pool
