"""An outgoing leg: one attempt at one destination, as its channel's events tell it."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from dialplan.result import Outcome
from engine.ari import causes
from engine.ari.causes import Cause
from engine.ari.channel import Channel
from engine.ari.errors import AriError, Gone
from engine.ari.events import (
    ChannelDtmfReceived,
    ChannelHangupRequest,
    ChannelStateChange,
    Dial,
    Event,
    StasisStart,
)
from engine.ari.playing import playing
from engine.line import Ended, Key, LegWitness, Party, Talk
from engine.notice import Announcement, Informed
from storage.records import LegRecord

if TYPE_CHECKING:
    from engine.ari.line import AriLine

log = structlog.get_logger()

LET_GO_SECONDS = 4.0
# SIP: the far end itself says that nobody answers. Only the hang-up request tells it apart: Asterisk's own
# timeout ends the channel with 480 too (measured), when a dead host never said anything.
TEMPORARILY_UNAVAILABLE = 480


class AriLeg(Channel):
    """`witness` is told what happens, the instant an event says so."""

    def __init__(self, line: "AriLine", channel_id: str, to: str, witness: LegWitness) -> None:
        super().__init__(channel_id)
        self._line = line
        loop = asyncio.get_running_loop()
        self.to = to
        self.entered: asyncio.Future[datetime] = loop.create_future()
        self.rings: asyncio.Future[datetime] = loop.create_future()
        self.up: asyncio.Future[datetime] = loop.create_future()
        self._witness = witness
        self._told_nobody_answers = False
        self._beaten = False
        self._is_told = False

    @property
    def came(self) -> datetime | None:
        return self.entered.result() if self.entered.done() else None

    @property
    def answered(self) -> datetime:
        return self.up.result()

    async def announce_recording(self, announcement: Announcement) -> Informed | None:
        self._is_told = True
        try:
            played = await self._line.announced_to(self, announcement.prompt)
        finally:
            self._is_told = False
        if played is None or not announcement.is_whole(*played):
            return None
        return Informed(self.id, announcement.told(*played))

    def talking(self, lease: float) -> AbstractAsyncContextManager[Talk]:
        return self._line.talking(self, lease)

    async def lease(self, seconds: float, playback: str = "") -> None:
        """Let Asterisk end this leg after `seconds`: it was made with a lease for its ringing only."""
        variables = {"TIMEOUT(absolute)": str(int(seconds)), **playing(playback)}
        await self._line.exchange.client.channels.set_channel_vars(self.id, variables)

    def see(self, event: Event) -> None:
        match event:
            case StasisStart() if not self.entered.done():
                self.enter(event.at)
            case ChannelStateChange(channel=channel) if channel.state == "Up":
                self.answer(event.at)
            case ChannelStateChange(channel=channel) if channel.state in {"Ring", "Ringing"}:
                self.ring(event.at)
            case Dial(status="RINGING" | "PROGRESS"):
                self.ring(event.at)
            case ChannelDtmfReceived():
                self._line.keys.press(Key(Party.DESTINATION, event.digit, event.at))
            case ChannelHangupRequest(tech_cause=sip) if sip == TEMPORARILY_UNAVAILABLE:
                self._told_nobody_answers = True
        super().see(event)

    def enter(self, at: datetime) -> None:
        self.entered.set_result(at)
        self._witness.dialled(self.id, self.to, at)

    def ring(self, at: datetime) -> None:
        if not self.rings.done():
            self.rings.set_result(at)
            self._witness.rang(self.id, at)

    def answer(self, at: datetime) -> None:
        if not self.up.done():
            self.up.set_result(at)
            self._witness.leg_answered(self.id, at)

    def end(self, at: datetime, cause: int) -> None:
        if not self.ended.done():
            super().end(at, cause)
            self._witness.leg_ended(self.id, self.ended.result())

    def lose(self, at: datetime) -> None:
        if not self.ended.done():
            self._is_told = False  # nobody has hung up
            super().lose(at)
            self._witness.leg_ended(self.id, self.ended.result())

    def outcome(self, cause: int) -> Outcome:
        """Of two that answer at once only one takes the call: the slower one is let go by us.

        Who hangs up when he hears that he will be recorded does not take it either.
        """
        if self._is_told:
            return Outcome.REJECTED
        rang = self.rings.done() or self._told_nobody_answers
        return causes.outcome(cause, rang=rang, answered=self.up.done() and not self._beaten)

    def remember(self, was: LegRecord) -> None:
        """What an earlier engine saw and noted."""
        self.entered.set_result(was.began)
        if was.ringing is not None:
            self.rings.set_result(was.ringing)
        if was.answered is not None:
            self.up.set_result(was.answered)

    async def let_go(self, cause: Cause) -> None:
        """Hang up, unless it has ended, and wait until it has."""
        if self.ended.done():
            return
        self._beaten = cause is Cause.ANSWERED_ELSEWHERE
        try:
            await self._line.exchange.client.channels.hangup(self.id, reason_code=cause)
        except Gone:
            pass
        except AriError as trouble:
            log.warning("leg_not_let_go", leg=self.id, error=str(trouble))
        await self.end_of(LET_GO_SECONDS)

    def never_was(self) -> None:
        """Asterisk did not make this leg at all (no such endpoint, no room): an attempt all the same."""
        now = datetime.now(UTC)
        if not self.entered.done():
            self.enter(now)
        if not self.ended.done():
            self.ended.set_result(Ended(now, causes.Cause.NETWORK_OUT_OF_ORDER, Outcome.FAILED))
            self._witness.leg_ended(self.id, self.ended.result())
