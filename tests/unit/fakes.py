"""A caller's line without Asterisk: destinations answer as told, what the caller heard is a list.

Held to the same suite as the real line (tests/live/test_line.py).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from dialplan.caller import Caller, Presentation
from dialplan.prompt import Prompt
from dialplan.result import Result
from engine.call_journal import CallJournal
from engine.line import ANSWER_SECONDS, Connect, Ended, How, HungUp, Key, Limits, Recorded, Returned
from engine.notice import ANSWER_KEY, Acceptance, Announcement, Refusal
from journal.entries import CallerLeft, EndedBy, FellBack
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
    trunk: str = "trunk"
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
            self.journal.append(CallerLeft(self.call_id, now(), by, cause))
        self.gone.set_result(Ended(now(), cause, self.lost))
        self._leave_the_engine(cause)

    def _leave_the_engine(self, cause: int) -> None:
        if not self.ended.done():
            self.ended.set_result(Ended(now(), cause, self.lost))

    def _fall_back(self) -> None:
        self.journal.append(FellBack(self.call_id, now()))
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

    async def record(
        self, name: str, limits: Limits, beep: Prompt | None, warning: Prompt | None
    ) -> Recorded:
        how, after = self.message
        if beep is not None:
            await self.play(beep)
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
        dial.whispers = dict(connect.whispers)
        dial.delays = {one.number: one.delay for one in connect.to if one.delay}
        dial.asked = frozenset(one.number for one in connect.to if one.confirm and connect.question)
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
