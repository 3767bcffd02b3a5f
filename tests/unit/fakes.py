"""A caller's line without Asterisk: destinations answer as told, what the caller heard is a list.

Held to the same suite as the real line (tests/live/test_line.py).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from dialplan.caller import Caller, Presentation
from dialplan.prompt import Prompt
from dialplan.result import Result
from engine.call import CallJournal, CallTerms, begin
from engine.call_limits import CallLimits
from engine.handle import handle
from engine.line import ANSWER_SECONDS, Connect, Ended, How, HungUp, Key, Limits, Recorded, Returned
from engine.notice import ANSWER_KEY, Acceptance, Announcement, Refusal
from journal.codec import encode
from journal.entries import CallEnded, CallerLeft, EndedBy, Entry, FellBack
from journal.state import CallState, fold
from tests.unit.fake_dial import START, Answers, FakeDial, Says, now

CALLER = Caller(Presentation.SHOWN, "+3225551234")
FALLBACK = "+32470000002"


FAREWELLS = {
    Result.CLOSED: 19,
    Result.NO_ANSWER: 19,
    Result.BUSY: 17,
    Result.UNREACHABLE: 34,
    Result.REJECTED: 21,
    Result.FAILED: 38,
}


@dataclass
class FakeLine:
    """The caller: hangs up so many seconds after the call came in, or never.

    `destinations`: one that is not in it cannot be dialled at all. `message`: what ends the caller's message,
    and after how many seconds; `left_by_another`: what is found of one that an earlier engine began; `lost`:
    Asterisk goes away instead of the caller. `presses`: keys, and how many seconds after the call came in.
    `falls_back_after`: so many seconds on, Asterisk takes the caller to `fallback`, if there is one.
    `handed_over`: what the engine asked Asterisk to connect.
    """

    destinations: dict[str, Answers | Says] = field(default_factory=dict)
    hangs_up_after: float | None = None
    caller: Caller = CALLER
    dialled: str = "+3270012345"
    call_id: str = "0199-call"
    id: str = "asterisk-1"
    breaks_on: str = ""
    message: tuple[How, float] = (How.HANGUP, 6)
    unplayable: frozenset[str] = frozenset()
    unplayable_to_destinations: frozenset[str] = frozenset()
    left_by_another: Recorded | None = None
    lost: bool = False
    presses: Sequence[tuple[float, str]] = ()
    falls_back_after: float | None = None
    fallback: Answers | Says | None = None
    heard: list[str] = field(default_factory=list)
    handed_over: list[Connect] = field(default_factory=list)
    entered: datetime = START
    legs: int = 0
    journal: CallJournal = field(init=False)  # that of the engine which has the call; Asterisk notes to it

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Ended] = loop.create_future()  # the caller has left the engine
        self.gone: asyncio.Future[Ended] = loop.create_future()  # the caller has left Asterisk
        self.dial: asyncio.Task[Returned | None] | None = None
        self.keys: asyncio.Queue[Key] = asyncio.Queue()
        self.entered = now()
        for after, digits in self.presses:
            loop.call_later(after, self._press, digits)
        if self.hangs_up_after is not None:
            loop.call_later(self.hangs_up_after, self.leave, "caller", 16)
        if self.falls_back_after is not None:
            loop.call_later(self.falls_back_after, self._fall_back)

    # What Asterisk does.

    def _press(self, digits: str) -> None:
        for digit in digits:
            self.keys.put_nowait(Key(digit, now()))

    def leave(self, by: EndedBy, cause: int) -> None:
        """The caller's channel ends; CEL says so, unless Asterisk is gone itself."""
        if self.gone.done():
            return
        if not self.lost:
            self.journal.note(CallerLeft(self.call_id, now(), by, cause))
        self.gone.set_result(Ended(now(), cause, self.lost))
        self._leave_the_engine(cause)

    def _leave_the_engine(self, cause: int) -> None:
        if not self.ended.done():
            self.ended.set_result(Ended(now(), cause, self.lost))

    def _fall_back(self) -> None:
        self.journal.note(FellBack(self.call_id, now()))
        self._leave_the_engine(16)
        self.dial = asyncio.create_task(self._without_engine())

    async def _without_engine(self) -> None:
        if self.fallback is None:
            self.leave("engine", 34)
            return
        dial = FakeDial(self, {FALLBACK: self.fallback}, seconds=30, limit=14400)
        if (returned := await dial.run()) is not None:
            self.leave("engine", returned.attempts[-1].cause)

    # What a call does with its line.

    async def _until(self, seconds: float) -> None:
        await asyncio.wait({self.ended}, timeout=seconds)
        self._alive()

    def _alive(self) -> None:
        if self.ended.done():
            raise HungUp(self.id, self.ended.result())

    async def play(self, prompt: Prompt) -> datetime | None:
        self._alive()
        if prompt.name == self.breaks_on:
            raise ValueError("a bug in a step")
        self.heard.append(prompt.name)
        await self._until(prompt.seconds)
        return None if prompt.name in self.unplayable else now()

    async def announce_recording(self, announcement: Announcement) -> Acceptance | Refusal | None:
        began = now()
        if await self.play(announcement.prompt) is None:
            return None
        ended, pressed = now(), False
        if announcement.policy.asks:
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    while not pressed:
                        pressed = (await self.keys.get()).digit == ANSWER_KEY
            self._alive()
        return announcement.notice(began, ended, pressed=pressed)

    async def ask(self, prompt: Prompt | None, seconds: float) -> Key | None:
        self._alive()
        if prompt is not None:
            self.heard.append(prompt.name)
        waits = seconds + (prompt.seconds if prompt else 0)
        pressed = asyncio.ensure_future(self.keys.get())
        try:
            either: set[asyncio.Future[Any]] = {pressed, self.ended}
            await asyncio.wait(either, timeout=waits, return_when=asyncio.FIRST_COMPLETED)
            if pressed.done():
                return pressed.result()
            self._alive()
            return None
        finally:
            pressed.cancel()

    async def wait(self, seconds: float, music: Prompt | None) -> None:
        self._alive()
        self.heard.append(f"waits with {music.name}" if music else "waits with ringing")
        await self._until(seconds)

    def forget_keys(self) -> None:
        while not self.keys.empty():
            self.keys.get_nowait()

    async def answer(self) -> datetime:
        self._alive()
        self.heard.append("answered")
        return now()

    async def record(self, name: str, limits: Limits, warning: Prompt | None) -> Recorded:
        how, after = self.message
        self.heard.append(f"recorded as {name}, at most {limits.seconds} s")
        await asyncio.wait({self.ended}, timeout=after)
        if how is How.HANGUP:
            self.leave("caller", 16)
        return Recorded(How.HANGUP if self.ended.done() else how, now())

    async def rejoin(self, name: str, limits: Limits) -> Recorded | None:
        self.heard.append(f"looked for {name}")
        return self.left_by_another

    async def connect(self, connect: Connect) -> Returned:
        self._alive()
        self.handed_over.append(connect)
        to = {one.number: self.destinations.get(one.number) for one in connect.to}
        dial = FakeDial(self, to, connect.seconds, connect.limit, connect.number, connect.recorder)
        self.dial = asyncio.create_task(dial.run())
        return await self.connecting(connect)

    async def connecting(self, connect: Connect) -> Returned:
        if self.dial is None:
            return await self.connect(connect)
        returned = await asyncio.shield(self.dial)  # it goes on without the engine
        if returned is None:
            raise HungUp(self.id, self.ended.result())
        self.dial = None
        return returned

    async def hang_up(self, result: Result) -> Ended:
        cause = FAREWELLS.get(result, 16)
        if not self.ended.done():
            self.heard.append(f"hung up: {result}")
            self.leave("engine", cause)
        return replace(self.ended.result(), cause=cause)

    async def turn_away(self) -> Ended:
        self.heard.append("no such number")
        self.leave("engine", 1)
        return self.ended.result()

    async def over(self) -> Ended:
        if self.dial is not None:
            await asyncio.wait({self.dial})
        return await asyncio.shield(self.gone)


@dataclass
class FakeCallServices:
    """Call services with the terms of one number, and a journal that is a list.

    `full`: why it takes no message and no recording.
    """

    call_terms: CallTerms | None
    node: str = "test1"
    full: str | None = None
    entries: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    limits: CallLimits = field(default_factory=lambda: CallLimits({}))

    def terms(self, dialled: str) -> CallTerms | None:
        return self.call_terms

    async def terms_under(self, dialled: str, digest: str) -> CallTerms | None:
        return self.call_terms

    async def why_no_message(self) -> str | None:
        return self.full

    async def why_no_recording(self) -> str | None:
        return self.full

    def note(self, entry: Entry) -> Awaitable[None]:
        self.entries.append(entry)
        encode(entry)  # an entry that the journal cannot write fails here too
        if isinstance(entry, CallEnded):
            self.limits.leave(entry.call)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written

    def count(self, key: str) -> int:
        self.counts[key] += 1
        return self.counts[key] - 1

    def enter(self, key: str, call: str, most: int) -> bool:
        return self.limits.enter(key, call, most)

    def for_another_call(self) -> "FakeCallServices":
        """The same with a journal of its own; what the node counts is shared."""
        return replace(self, entries=[])

    def of[E: Entry](self, kind: type[E]) -> list[E]:
        """The entries of this kind."""
        return [entry for entry in self.entries if isinstance(entry, kind)]

    @property
    def kinds(self) -> list[str]:
        """The kind of each entry, by its class."""
        return [type(entry).__name__ for entry in self.entries]


async def attend(line: FakeLine, services: FakeCallServices) -> CallState:
    """The whole call; its state, which its journal gives as well."""
    line.journal = begin(line, services.call_terms, services)
    await handle(line, services.call_terms, line.journal)
    return whole(line, services)


async def leave_after(seconds: float, line: FakeLine, services: FakeCallServices) -> None:
    """An engine that is killed so many seconds after the call came in. Asterisk goes on."""
    work = asyncio.create_task(attend(line, services))
    await asyncio.sleep(seconds)  # of a jumping clock
    work.cancel()
    await asyncio.wait({work})


async def take_over(line: FakeLine, services: FakeCallServices) -> CallState:
    """What the next engine does with the call, which knows of it what the journal says."""
    line.heard.clear()
    line.journal = CallJournal(services, fold(services.entries))
    await handle(line, await services.terms_under(line.dialled, ""), line.journal)
    return whole(line, services)


def whole(line: FakeLine, services: FakeCallServices) -> CallState:
    assert fold(services.entries) == line.journal.state
    assert line.journal.state.ending is not None
    return line.journal.state
