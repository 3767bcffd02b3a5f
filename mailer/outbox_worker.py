"""The outbox worker: claims the mail that is due, has it sent, stores the answer.

A server that answers slowly holds up nobody but its own domain: an attempt that lasts leaves its worker to
the next mail, and a domain has only so many attempts at once.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import asyncpg
import structlog

from mailer.answer import Answer, Deferred
from mailer.mail_sender import MailSender
from mailer.outbox import Claim, Terms, claim, give_all_back, taken, word, write
from mailer.tls import Level
from storage.away import AWAY, retry

POLL_SECONDS = 1.0
SLOW_SECONDS = 1.0  # then its worker takes another mail, of another domain
MOST = 200  # attempts at once, slow ones included: each holds one mail in memory
GRACE_SECONDS = 0.7  # for what is under way at the end
PREDECESSOR_SECONDS = 10.0  # PostgreSQL notices that a worker was killed once its last statement has ended
log = structlog.get_logger()

# A message's WAV, from the object store.
FetchWith = Callable[[asyncpg.Connection, str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """How much at once, and how long: `deadline` of one attempt, seconds, shorter than its claim's lease."""

    workers: int = 8
    per_domain: int = 4
    deadline: float = 900


class OutboxWorker:
    """Brings mails until cancelled. `told` is called with each answer, as `attempt.result` has it."""

    name = "mail"

    def __init__(
        self,
        mail_sender: MailSender,
        fetch: FetchWith,
        terms: Terms,
        policy: DeliveryPolicy = DeliveryPolicy(),
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._mail_sender = mail_sender
        self._fetch_with = fetch
        self._terms = terms
        self._policy = policy
        self._told = told
        self._attempts: set[asyncio.Task[None]] = set()
        self._live: Counter[str] = Counter()
        self._slow: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something in the outbox: do not wait for the next look."""
        self._woken.set()

    async def run(self, pool: asyncpg.Pool) -> None:
        """Bring what is due. While the database is away, wait for it.

        Cancelled, it gives attempts under way a moment. The next outbox worker repeats those that do not end.
        """
        lock = await self._take_over(pool)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._policy.workers):
                    group.create_task(self._work(pool))
                group.create_task(self._tidy())
        finally:
            await self._finish()
            end_connection(lock)

    async def send_next(self, pool: asyncpg.Pool) -> bool:
        """Make one attempt with the mail that is due first; False when none is. Raises asyncpg's errors."""
        async with taken(pool) as con:
            claimed = await claim(con, self._terms, self._full())
        if claimed is not None:
            await self._attempt(pool, claimed)
        return claimed is not None

    async def _take_over(self, pool: asyncpg.Pool) -> asyncpg.Connection:
        """Have back what a predecessor had in hand; the connection holds the lock that says who lives.

        One that fails is ended, for it may hold that lock already: then we would wait for ourselves.
        """
        while True:
            con: asyncpg.Connection | None = None
            try:
                con = cast("asyncpg.Connection", await pool.acquire(timeout=5))
                await self._have_back(con)
            except AWAY:
                if con is not None:
                    end_connection(con)
                await asyncio.sleep(POLL_SECONDS)
            else:
                return con

    async def _have_back(self, con: asyncpg.Connection) -> None:
        """Ask until the predecessor lives no more: who was killed still holds its lock for a moment."""
        deadline = time.monotonic() + PREDECESSOR_SECONDS
        while not await give_all_back(con, self._terms.node):
            if time.monotonic() > deadline:
                log.warning("another worker of this node sends mail too", node=self._terms.node)
                return
            await asyncio.sleep(PREDECESSOR_SECONDS / 50)

    async def _work(self, pool: asyncpg.Pool) -> None:
        """One worker: claim, attempt, again."""
        while True:
            self._woken.clear()
            claimed = await self._claimed(pool)
            if claimed is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)
                continue
            attempt = asyncio.create_task(self._attempt(pool, claimed))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)
            await self._see(attempt, claimed.domain)
            while len(self._attempts) >= MOST:
                await asyncio.wait(self._attempts, return_when=asyncio.FIRST_COMPLETED)

    async def _see(self, attempt: asyncio.Task[None], domain: str) -> None:
        """Stay with an attempt while it goes well. A smarthost may be slow: there is no other transport."""
        done, _ = await asyncio.wait({attempt}, timeout=None if self._terms.smarthost else SLOW_SECONDS)
        if not done:
            self._slow[domain] += 1
            attempt.add_done_callback(lambda _: less(self._slow, domain))

    async def _claimed(self, pool: asyncpg.Pool) -> Claim | None:
        try:
            async with taken(pool) as con:
                return await claim(con, self._terms, self._full())
        except AWAY as error:
            log.debug("outbox waits", error=type(error).__name__)
            return None

    def _full(self) -> list[str]:
        """Domains that have all the attempts they may have: no more than so many, none while one is slow."""
        if self._terms.smarthost:
            return []
        most = self._policy.per_domain
        return [domain for domain, live in self._live.items() if live >= most or self._slow[domain] > 0]

    async def _attempt(self, pool: asyncpg.Pool, claimed: Claim) -> None:
        """Bring one mail; whatever comes of it is written down, or the lease runs out."""
        self._live[claimed.domain] += 1
        try:
            answer = await self._answer(pool, claimed)
            _log(claimed, answer)
            await self._write(pool, claimed, answer)
        except Exception:
            log.exception("attempt failed", message=claimed.message_id)
        finally:
            if not less(self._live, claimed.domain):
                self._turns.pop(claimed.domain, None)

    async def _answer(self, pool: asyncpg.Pool, claimed: Claim) -> Answer:
        async def fetch(audio_id: str) -> bytes:
            async with taken(pool) as con:
                return await self._fetch_with(con, audio_id)

        try:
            async with asyncio.timeout(self._policy.deadline), self._turn(claimed.domain):
                return await self._mail_sender.bring(claimed, fetch)
        except TimeoutError:
            return Deferred("", f"no end in {self._policy.deadline:.0f} s", Level.NONE, unsure=True)

    def _turn(self, domain: str) -> asyncio.Semaphore:
        """Workers that claim at the same moment may claim more of a domain than it may have: those wait."""
        most = MOST if self._terms.smarthost else self._policy.per_domain
        return self._turns.setdefault(domain, asyncio.Semaphore(most))

    async def _write(self, pool: asyncpg.Pool, claimed: Claim, answer: Answer) -> None:
        """Until the database has it: an acceptance that is forgotten is a mail sent twice."""
        chance = random.random()  # noqa: S311 - spreads retries, keeps no secret

        async def store() -> None:
            async with taken(pool) as con:
                await write(con, claimed, answer, self._terms, chance)

        await retry(store, _report)
        self._told(word(answer))

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._mail_sender.post.sessions.tidy()

    async def _finish(self) -> None:
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=GRACE_SECONDS)
        for attempt in self._attempts:
            attempt.cancel()
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=GRACE_SECONDS)
        await self._mail_sender.post.sessions.close()


def less(counts: Counter[str], key: str) -> int:
    """Count one less, and forget what has come to nothing; what is left."""
    counts[key] -= 1
    return counts[key] or counts.pop(key)


def _log(claimed: Claim, answer: Answer) -> None:
    told = {"message": claimed.message_id, "server": answer.server, "tls": answer.tls}
    if isinstance(answer, Deferred):
        tell = log.error if answer.alarm else log.info
        tell("mail waits", reply=answer.reply, attempt=claimed.attempt, **told)
    else:
        log.info("mail answered", result=word(answer), reply=answer.reply, **told)


def _report(error: Exception, pause: float) -> None:
    log.warning("mail_answer_not_stored", error=type(error).__name__, retry_seconds=pause)


def end_connection(con: asyncpg.Connection) -> None:
    """Let go of a connection of a pool, and of its locks, at once."""
    with suppress(asyncpg.InterfaceError):  # it has gone by itself
        con.terminate()
