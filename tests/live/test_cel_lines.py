"""What a real Asterisk writes into its CEL file, as the CEL reader gives it to the engine."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from devkit.asterisk import Asterisk
from engine.ari.cel_reader import CelReader
from journal.cel import CelEvent
from tests.lateness import PATIENCE
from tests.live.ari import ask

CALLER = "+32470998877"
# A caller is bridged with a destination that hangs up after 0.2 s.
DIALPLAN = """\
[cel-lines]
exten => wait,1,Wait(30)
exten => caller,1,Dial(Local/destination@cel-lines/n,10,g)
 same => n,CELGenUserEvent(BACK,status=${DIALSTATUS} text="a, b" )
 same => n,Hangup()
exten => destination,1,CELGenUserEvent(LEG,leg=ab-1 to=+32470111222)
 same => n,Answer()
 same => n,Wait(0.2)
 same => n,Hangup(17)
"""


class Ledger:
    """The events that the reader has given, and a condition on them."""

    def __init__(self) -> None:
        self.events: list[CelEvent] = []
        self._came = asyncio.Condition()

    async def take(self, events: Sequence[CelEvent]) -> None:
        async with self._came:
            self.events += events
            self._came.notify_all()

    async def until_ended(self) -> list[CelEvent]:
        """All events, once a call has ended."""
        async with asyncio.timeout(PATIENCE), self._came:
            await self._came.wait_for(lambda: any(event.kind == "LINKEDID_END" for event in self.events))
        return self.events


@pytest.fixture
async def ledger(asterisk: Asterisk, tmp_path: Path, empty: None) -> AsyncIterator[Ledger]:
    """A reader of this Asterisk's CEL, which ignores what other tests have left there."""
    ledger = Ledger()
    reader = CelReader(asterisk.endpoint.cel, tmp_path / "cel.json", ledger.take, first=True)
    work = asyncio.create_task(reader.run())
    await reader.drained()
    yield ledger
    work.cancel()
    await asyncio.wait({work})
    assert reader.skipped == 0


@pytest.fixture
def dialplan(asterisk: Asterisk) -> None:
    (asterisk.endpoint.etc / "fallback.conf").write_text(DIALPLAN)
    ask(asterisk.endpoint, "/asterisk/modules/pbx_config.so", "PUT")


@pytest.mark.usefixtures("dialplan")
async def test_a_call_is_told_whole_in_order_and_without_its_callers_number(
    asterisk: Asterisk, ledger: Ledger
) -> None:
    words = f"endpoint=Local/caller@cel-lines/n&context=cel-lines&extension=wait&callerId={quote(CALLER)}"
    began = datetime.now(UTC)
    channel = await asyncio.to_thread(ask, asterisk.endpoint, f"/channels?{words}", "POST")
    events = await ledger.until_ended()

    (leg,) = [event for event in events if event.kind == "LEG"]
    assert leg.extra == {"leg": "ab-1", "to": "+32470111222"}
    assert (leg.context, leg.exten, leg.name[:30]) == (
        "cel-lines",
        "destination",
        "Local/destination@cel-lines-00",
    )
    kinds = [event.kind for event in events if event.channel == leg.channel]
    assert kinds == ["CHAN_START", "LEG", "ANSWER", "HANGUP"]
    assert [event.kind for event in events].count("BRIDGE_ENTER") == 2
    (hangup,) = [event for event in events if event.kind == "HANGUP" and event.channel == leg.channel]
    assert (hangup.extra["hangupcause"], hangup.extra["hangupsource"]) == (17, "dialplan/builtin")
    assert timedelta(milliseconds=200) <= hangup.at - leg.at < timedelta(seconds=5)
    (back,) = [event for event in events if event.kind == "BACK"]
    assert back.extra["status"] == "ANSWER"
    assert events[-1].kind == "LINKEDID_END"

    # The older mappings make up a channel for every line, and each of those takes a channel number.
    numbers = {int(event.channel.rpartition(".")[2]) for event in events}
    assert len(numbers) == 4
    assert max(numbers) - min(numbers) < 10

    assert {event.call for event in events} == {channel["id"]}
    assert all(
        began - timedelta(seconds=1) < event.at < began + timedelta(seconds=PATIENCE) for event in events
    )
    assert CALLER[1:] not in asterisk.endpoint.cel.read_text()
