"""The outbox worker: claims the mail that is due, has it sent, stores the answer.

A slow server delays only its own domain: the worker leaves a slow attempt running and takes the next mail,
and the attempts of a domain at the same time are limited. A smarthost is the only transport, and may be slow;
but a connection in which nothing is said any more does not keep a worker from the next mail.
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
from mailer.outbox import Claim, Terms, claim, give_all_back, give_lost_back, result_of, taken, write
from mailer.tls import Level
from storage.away import AWAY, retry

POLL_SECONDS = 1.0
SLOW_SECONDS = 1.0  # after which the worker takes a mail to another domain
STALLED_SECONDS = 30.0  # the same with a smarthost: some of its machines may be silent
MOST_STALLED = 4  # attempts for each worker, by a smarthost that is silent to all of them
MOST = 200  # attempts at the same time, slow ones included; each holds one mail in memory
GRACE_SECONDS = 0.7  # for running attempts at shutdown
PREDECESSOR_SECONDS = 10.0  # PostgreSQL notices a killed worker when its last statement ends
log = structlog.get_logger()

# Returns a message's WAV from the object store.
FetchWith = Callable[[asyncpg.Connection, str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """Limits. `deadline`: seconds for one attempt, shorter than the lease of its claim."""

    workers: int = 8
    per_domain: int = 4
    deadline: float = 900


class OutboxWorker:
    """Sends mails until cancelled. Calls `on_result` after each attempt with its `attempt.result`."""

    name = "mail"

    def __init__(
        self,
        mail_sender: MailSender,
        fetch: FetchWith,
        terms: Terms,
        policy: DeliveryPolicy = DeliveryPolicy(),
        on_result: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._mail_sender = mail_sender
        self._fetch_with = fetch
        self._terms = terms
        self._policy = policy
        self._on_result = on_result
        self._attempts: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._at_work = 0  # claims that we know of
        self._is_claim_lost = False  # perhaps: the database was away
        self._live: Counter[str] = Counter()
        self._slow: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look into the outbox now: a mail has been added."""
        self._woken.set()

    async def run(self, pool: asyncpg.Pool) -> None:
        """Send what is due. While the database is away, wait for it.

        When cancelled, it waits a moment for running attempts. Its successor repeats unfinished ones.
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
        """Make one attempt with the mail that is due first; False if none is due. Raises asyncpg's errors."""
        async with taken(pool) as con:
            claimed = await claim(con, self._terms, self._full())
        if claimed is not None:
            await self._attempt(pool, claimed)
        return claimed is not None

    async def _take_over(self, pool: asyncpg.Pool) -> asyncpg.Connection:
        """Release a dead predecessor's claims; the returned connection holds the node's advisory lock.

        A connection that fails is closed: it may hold that lock already, and we would wait for ourselves.
        """
        while True:
            con: asyncpg.Connection | None = None
            try:
                con = cast("asyncpg.Connection", await pool.acquire(timeout=5))
                await self._release_claims(con)
            except AWAY:
                if con is not None:
                    end_connection(con)
                await asyncio.sleep(POLL_SECONDS)
            else:
                return con

    async def _release_claims(self, con: asyncpg.Connection) -> None:
        """Retry until the predecessor is gone: a killed worker still holds its lock for a moment."""
        deadline = time.monotonic() + PREDECESSOR_SECONDS
        while not await give_all_back(con, self._terms.node):
            if time.monotonic() > deadline:
                log.warning("outbox_shared", node=self._terms.node)
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
            attempt.add_done_callback(self._end)
            await self._watch(attempt, claimed.domain)
            while len(self._attempts) >= self._most:
                await asyncio.wait(self._attempts, return_when=asyncio.FIRST_COMPLETED)

    @property
    def _most(self) -> int:
        return min(MOST_STALLED * self._policy.workers, MOST) if self._terms.smarthost else MOST

    async def _watch(self, attempt: asyncio.Task[None], domain: str) -> None:
        """Wait for a quick attempt; count a slow one."""
        patience = STALLED_SECONDS if self._terms.smarthost else SLOW_SECONDS
        done, _ = await asyncio.wait({attempt}, timeout=patience)
        if not done:
            self._slow[domain] += 1
            attempt.add_done_callback(lambda _: less(self._slow, domain))

    async def _claimed(self, pool: asyncpg.Pool) -> Claim | None:
        """Claim a mail. A claim whose answer did not arrive is given back, as soon as no other is known."""
        try:
            async with self._claiming, taken(pool) as con:
                if self._is_claim_lost and not self._at_work:
                    await give_lost_back(con, self._terms.node)
                    self._is_claim_lost = False
                claimed = await claim(con, self._terms, self._full())
        except AWAY as error:
            self._is_claim_lost = True
            log.debug("outbox_not_read", error=type(error).__name__)
            return None
        self._at_work += claimed is not None
        return claimed

    def _end(self, attempt: asyncio.Task[None]) -> None:
        self._attempts.discard(attempt)
        self._at_work -= 1

    def _full(self) -> list[str]:
        """Domains that get no further attempt now: at their limit, or with a slow attempt running."""
        if self._terms.smarthost:
            return []
        most = self._policy.per_domain
        return [domain for domain, live in self._live.items() if live >= most or self._slow[domain] > 0]

    async def _attempt(self, pool: asyncpg.Pool, claimed: Claim) -> None:
        """Send one mail and store the result. If that fails, the lease ends and the mail is due again."""
        self._live[claimed.domain] += 1
        try:
            answer = await self._answer(pool, claimed)
            _log(claimed, answer)
            await self._write(pool, claimed, answer)
        except Exception:
            log.exception("mail_attempt_failed", message=claimed.message_id)
        finally:
            if not less(self._live, claimed.domain):
                self._turns.pop(claimed.domain, None)

    async def _answer(self, pool: asyncpg.Pool, claimed: Claim) -> Answer:
        async def fetch(audio_id: str) -> bytes:
            async with taken(pool) as con:
                return await self._fetch_with(con, audio_id)

        try:
            async with asyncio.timeout(self._policy.deadline), self._turn(claimed.domain):
                return await self._mail_sender.send(claimed, fetch)
        except TimeoutError:
            return Deferred("", f"not finished after {self._policy.deadline:.0f} s", Level.NONE, unsure=True)

    def _turn(self, domain: str) -> asyncio.Semaphore:
        """Workers that claim at the same moment may exceed a domain's limit: the excess waits here."""
        most = MOST if self._terms.smarthost else self._policy.per_domain
        return self._turns.setdefault(domain, asyncio.Semaphore(most))

    async def _write(self, pool: asyncpg.Pool, claimed: Claim, answer: Answer) -> None:
        """Retry until the result is stored: a lost acceptance would send the mail twice."""
        chance = random.random()  # noqa: S311 - spreads retries, protects no secret

        async def store() -> None:
            async with taken(pool) as con:
                await write(con, claimed, answer, self._terms, chance)

        await retry(store, _report)
        self._on_result(result_of(answer))

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
    """Decrement a count and remove it at zero; return what is left."""
    counts[key] -= 1
    return counts[key] or counts.pop(key)


def _log(claimed: Claim, answer: Answer) -> None:
    fields = {
        "message": claimed.message_id,
        "server": answer.server,
        "tls": answer.tls,
        "reply": answer.reply,
    }
    if not isinstance(answer, Deferred):
        log.info("mail_answered", result=result_of(answer), **fields)
    elif answer.alarm:
        log.error("mail_deferred", attempt=claimed.attempt, **fields)
    else:
        log.info("mail_deferred", attempt=claimed.attempt, **fields)


def _report(error: Exception, pause: float) -> None:
    log.warning("mail_answer_not_stored", error=type(error).__name__, retry_seconds=pause)


def end_connection(con: asyncpg.Connection) -> None:
    """Close a connection of the pool at once, which releases its locks."""
    with suppress(asyncpg.InterfaceError):  # it is closed already
        con.terminate()
