"""Two people on the telephone: what each hears, and when their telephones said what on the wire."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from devkit.audio import RATE, Samples, level
from devkit.handset import Handset
from devkit.wire import Message
from tests.lateness import PATIENCE, late
from tests.live.service import CALLER_HZ, DESTINATION_HZ, Service, until

NEAR = timedelta(milliseconds=50)  # on a machine that does nothing else
LOUDNESS = 0.3  # of the telephones' tones


async def in_conversation(service: Service, number: str, to: str) -> tuple[Handset, Handset]:
    """A caller and the destination `to`, each hearing the other."""
    caller = await service.call(number)
    destination = await service.network.picked_up(to)
    await hear_each_other(caller, destination)
    return caller, destination


async def hear_each_other(
    caller: Handset,
    destination: Handset,
    destination_hz: float = DESTINATION_HZ,
    caller_hz: float = CALLER_HZ,
) -> None:
    """Wait until they do. Raises TimeoutError, CallOver."""
    await asyncio.gather(caller.hears(destination_hz), destination.hears(caller_hz))


async def more_heard(handset: Handset, seconds: float = 0.4) -> Samples:
    """The next `seconds` that this handset hears."""
    already, wanted = len(handset.heard), round(seconds * RATE)
    await until(lambda: handset.has_heard >= already + wanted, seconds + PATIENCE)
    return handset.heard[already : already + wanted]


async def hears_whole(handset: Handset, hz: float) -> Samples:
    """What this handset hears from now on: 0.4 s in which the tone is as loud as it is played.

    The telephones of a busy machine leave a gap now and then: such a piece is not the one.
    """
    async with asyncio.timeout(PATIENCE):
        while abs(level(piece := await more_heard(handset), hz) - LOUDNESS) > 0.03:
            pass
    return piece


class Wire(logging.Handler):
    """Every SIP message of all telephones, with the instant it was sent or came: their stack takes 20-40 ms
    to end a call before it says so."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: list[tuple[datetime, Message]] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().partition("\n")[2]
        self._seen.append((datetime.fromtimestamp(record.created, UTC), Message.read(text.encode())))

    async def first(self, call: Handset, start: str, cseq: str) -> datetime:
        """When the first message of this call that begins so was sent or came, once it has been reported."""
        await until(lambda: self._instant(call, start, cseq))
        at = self._instant(call, start, cseq)
        assert at is not None
        return at

    def _instant(self, call: Handset, start: str, cseq: str) -> datetime | None:
        return next(
            (
                at
                for at, message in self._seen
                if message.start.startswith(start)
                and message.one("cseq").endswith(cseq)
                and message.one("call-id") == call.call_id
            ),
            None,
        )


@contextmanager
def overheard() -> Iterator[Wire]:
    """Listen to all telephones of this process."""
    trace, log = Wire(), logging.getLogger("baresip.native.sip")
    log.addHandler(trace)
    yield trace
    log.removeHandler(trace)


def assert_near(recorded: datetime | None, seen: datetime) -> None:
    assert recorded is not None
    assert abs(recorded - seen) < NEAR + late(), f"{(recorded - seen).total_seconds():+.3f} s"
