"""Messages in the outbox, and an outbox worker that sends them to servers of the test's own."""

import io
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import asyncpg
import numpy as np
import soundfile

from mailer.compose import Sender
from mailer.mail_sender import MailSender
from mailer.mx import NoMailTaken
from mailer.outbox import Terms
from mailer.outbox_worker import DeliveryPolicy, OutboxWorker
from mailer.post import Post, Transport
from mailer.return_address import ReturnAddresses
from mailer.sessions import Sessions
from mailer.smtp import Server, SmtpIdentity
from mailer.tls import verifying
from storage.key_wrapper import new_key
from storage.messages import post
from tests.store.calls import NOON, call_id
from tests.store.smtp import MailServer
from worker.jobs import nothing_to_reset

TERMS = Terms(node="here", lease=timedelta(minutes=20), window=timedelta(hours=24), kept=timedelta(days=30))
MANNER = DeliveryPolicy(deadline=10)
SENDER = Sender("voicemail@provider.example", "Voicemail")
ADDRESSES = ReturnAddresses([new_key()])


def message_id(n: int, kind: str = "vm1") -> str:
    return f"{call_id(n)}-{kind}"


def spoken(seconds: float) -> bytes:
    """A WAV of noise: what least of all can be made smaller."""
    samples = np.random.default_rng(7).integers(-9000, 9000, int(8000 * seconds), np.int16)
    made = io.BytesIO()
    soundfile.write(made, samples, 8000, format="WAV", subtype="PCM_16")
    return made.getvalue()


WAV = spoken(1)


DELIVERY: dict[str, Any] = {
    "then": None,
    "language": "en",
    "audio": "mp3",
    "zone": "Europe/Brussels",
    "require_tls": False,
    "label": "",
    "path": [],
}


async def leave_message(
    con: asyncpg.Connection, n: int, *, to: Sequence[str] = ("office@acme.example",), **more: Any
) -> str:
    """A message that has been sealed and is to be mailed; `more`: columns of its row, or of its delivery."""
    kind = more.pop("kind", "voicemail")
    told = message_id(n, "missed" if kind == "missed" else "vm1")
    deliver = {**DELIVERY, "to": list(to)}
    deliver |= {key: more.pop(key) for key in list(more) if key in deliver}
    caller = more.pop("caller", "+32470111222")
    assert not more
    await con.execute(
        """
        INSERT INTO message (message_id, kind, call_id, owner, number, caller, withheld, began, outcome,
            deliver, state)
        VALUES ($1, $2, $3, 'acme', '+3280012345', $4, false, $5, 'voicemail', $6, 'waiting')
        """,
        told,
        kind,
        call_id(n),
        caller,
        NOON,
        json.dumps(deliver),
    )
    if kind == "voicemail":
        await con.execute(
            """
            INSERT INTO audio (audio_id, kind, call_id, owner, node, state, began, seconds, sha256)
            VALUES ($1, 'message', $2, 'acme', 'here', 'stored', $3, 6.2, 'x')
            """,
            told,
            call_id(n),
            NOON,
        )
    await post(con, [told])
    return told


@dataclass
class Transports:
    """Each domain's servers; a domain that is not among them takes no mail."""

    servers: Mapping[str, Sequence[Server]]

    async def to(self, domain: str) -> Sequence[Server]:
        try:
            return self.servers[domain]
        except KeyError:
            raise NoMailTaken(f"there is no domain {domain}") from None


def own(kept: MailServer) -> Server:
    """The recipient's own: what it accepts has arrived."""
    return replace(kept.server, final=True)


class Office:
    """An outbox worker with its database: `round` makes all due attempts, `later` moves the clock."""

    def __init__(self, pool: asyncpg.Pool, outbox_worker: OutboxWorker) -> None:
        self.pool = pool
        self.outbox_worker = outbox_worker

    async def round(self) -> int:
        """Bring all that is due; how many attempts that were."""
        made = 0
        while await self.outbox_worker.send_next(self.pool):
            made += 1
            assert made < 1000
        return made

    async def later(self, **much: float) -> None:
        """Let so much time go by for everything in the outbox."""
        await self.pool.execute(
            "UPDATE outbox SET next_at = next_at - $1::interval, first_at = first_at - $1::interval,"
            " lease_until = lease_until - $1::interval",
            timedelta(**much),
        )
        await self.pool.execute("UPDATE attempt SET at = at - $1::interval", timedelta(**much))

    async def row(self, told: str, recipient: str = "office@acme.example") -> asyncpg.Record:
        row = await self.pool.fetchrow(
            "SELECT *, next_at - now() AS wait FROM outbox WHERE message_id = $1 AND recipient = $2",
            told,
            recipient,
        )
        assert row
        return row

    async def state(self, told: str) -> str:
        return str(await self.pool.fetchval("SELECT state FROM message WHERE message_id = $1", told))

    async def keeping(self, told: str) -> timedelta | None:
        """How long its sound is still kept; None without an end."""
        kept: timedelta | None = await self.pool.fetchval(
            "SELECT destroy_after - now() FROM audio WHERE audio_id = $1", told
        )
        return kept

    async def results(self, told: str) -> list[str]:
        rows = await self.pool.fetch(
            "SELECT result FROM attempt WHERE message_id = $1 ORDER BY recipient, n", told
        )
        return [row["result"] for row in rows]

    async def leave(self, n: int, **more: Any) -> str:
        async with self.pool.acquire() as con:
            return await leave_message(con, n, **more)  # type: ignore[arg-type]  # a proxy of one


async def wav_of(_con: asyncpg.Connection, _audio_id: str) -> bytes:
    return WAV


@asynccontextmanager
async def office(
    database: str,
    transport: Transport,
    terms: Terms = TERMS,
    policy: DeliveryPolicy = MANNER,
    told: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Office]:
    """An outbox worker over this database; `told` is called with each result."""
    sessions = Sessions(SmtpIdentity("engine1.provider.example", verifying(None)))
    outbox_worker = OutboxWorker(
        MailSender(Post(transport, sessions), SENDER, ADDRESSES), wav_of, terms, policy, told
    )
    async with asyncpg.create_pool(database, min_size=0, max_size=16, reset=nothing_to_reset) as pool:
        try:
            yield Office(pool, outbox_worker)
        finally:
            await sessions.close()
