"""A caller's line, the Asterisk that answers its commands, and the events that Asterisk sends."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from dialplan.caller import UNKNOWN
from dialplan.destination import Destination
from dialplan.result import Outcome
from engine.ari.arrival import Arrival
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError, Gone
from engine.ari.events import StasisEnd, StasisStart
from engine.ari.exchange import Exchange
from engine.ari.line import AriLine
from engine.ari.state import ChannelInfo
from engine.line import Attempt, Connect, Ended, HungUp, Recorder, Returned

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
LAST_KNOWN = AT - timedelta(seconds=1)
STARTED = AT
CALL, CALLER, ONE, TWO = "0199-call", "dev-1.0", "dev-1.1", "dev-1.2"
OFFICE, HOME = "+3221112233", "+32470111222"
LEG = f"{CALL}-b1"
BUSY = f"&{ONE}:Down:17:486:{OFFICE}"
TRIED = Attempt(LEG, OFFICE, Outcome.BUSY, 17, 486)
TO_ONE = Connect(number=1, to=(Destination(number=OFFICE),), seconds=20, limit=3600)
TO_TWO = Connect(number=1, to=(Destination(number=OFFICE), Destination(number=HOME)), seconds=20, limit=60)
RECORDED = replace(TO_ONE, recorder=Recorder("0199-call-rec1", None, caller_may_stop=False))


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def channel(channel_id: str = CALLER, application: str = "Stasis") -> ChannelInfo:
    return ChannelInfo(channel_id, "Ring", AT, "", "+3270012345", application, {})


def end(seconds: float = 1) -> StasisEnd:
    return StasisEnd(at(seconds), channel())


def back(legs: str = BUSY, ring: str = "1") -> StasisStart:
    return StasisStart(at(9), channel(), ("back", ring, "BUSY", *([legs] if legs else [])))


@dataclass
class Asterisk:
    """Its commands; it is its own client, each of its resources, and a batch of commands.

    `does`: what happens before the reply to a command, which may be an error. `exists`: the caller's channel,
    which is in `application`.
    """

    does: dict[str, Callable[[], AriError | None]] = field(default_factory=dict)
    exists: bool | AriError = True
    application: str = "Dial"
    commands: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    continued_in: dict[str, Any] = field(default_factory=dict)
    subscribed: list[str] = field(default_factory=list)
    cause: int | None = None

    def _do(self, command: str) -> None:
        self.commands.append(command)
        trouble = self.does.get(command, lambda: None)()
        if trouble is not None:
            raise trouble

    async def set_channel_vars(self, channel_id: str, variables: dict[str, Any]) -> None:
        self.values |= variables
        self._do("set_channel_vars")

    async def get_channel_var(self, channel_id: str, variable: str) -> str:
        raise Gone(404, "none")

    async def continue_in_dialplan(self, channel_id: str, **where: Any) -> None:
        assert channel_id == CALLER
        self.continued_in = where
        self._do("continue_in_dialplan")

    async def subscribe(self, app: str, sources: list[str]) -> None:
        self.subscribed += sources
        self._do("subscribe")

    async def get(self, channel_id: str) -> ChannelInfo:
        self._do("get")
        if isinstance(self.exists, AriError):
            raise self.exists
        if not self.exists:
            raise Gone(404, "no such channel")
        return channel(channel_id, self.application)

    async def hangup(self, channel_id: str, *, reason_code: int | None = None) -> None:
        self.cause = reason_code
        self._do("hangup")

    def batch(self) -> "Asterisk":
        return self

    async def carry_out(self) -> None:
        self._do("carry_out")

    @property
    def channels(self) -> "Asterisk":
        return self

    @property
    def applications(self) -> "Asterisk":
        return self


class Caller:
    """A line, its Asterisk and its events."""

    def __init__(self) -> None:
        self.asterisk = Asterisk()
        self.dispatcher = Dispatcher(lambda _: None)
        client = cast(Client, self.asterisk)
        exchange = Exchange(client, self.dispatcher, last_known=LAST_KNOWN)
        self.line = AriLine(exchange, Arrival(CALLER, CALL, "+3270012345", UNKNOWN, AT))
        self.tell = self.line.on_event

    async def handed_over(self, connect: Connect = TO_ONE) -> asyncio.Task[Returned]:
        """The hand-over, which goes on once the caller has left the application."""
        self.asterisk.does["continue_in_dialplan"] = lambda: self.tell(end())
        going_on = asyncio.create_task(self.line.connect(connect))
        while "continue_in_dialplan" not in self.asterisk.commands:
            await asyncio.sleep(0)
            if going_on.done():
                going_on.result()
        await asyncio.sleep(0)
        return going_on


def loop_time() -> float:
    return asyncio.get_running_loop().time()


async def hung_up(waiting: Any) -> Ended:
    with pytest.raises(HungUp) as gone:
        await waiting
    return gone.value.ended
