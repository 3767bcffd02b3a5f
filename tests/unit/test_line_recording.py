"""Recording a message, while Asterisk cannot be reached: whether it records may not be known."""

import asyncio
import gc
import weakref

import pytest

from engine.ari.errors import Gone, Unavailable
from engine.line import HungUp, Limits
from tests.unit.handed_over import LAST_KNOWN, Caller

pytestmark = pytest.mark.looptime

LIMITS = Limits(60, 5)
NO_REPLY = Unavailable(0, "no reply")


@pytest.fixture
async def caller(monkeypatch: pytest.MonkeyPatch) -> Caller:
    """Their Asterisk can be asked for recordings; it has none unless `does` says otherwise."""
    it = Caller()

    async def command(*_: object, **__: object) -> None:
        it.asterisk._do("record")

    async def ask(*_: object) -> None:
        it.asterisk._do("get_recording")
        raise Gone(404, "none")

    for name, does in (
        ("record", command),
        ("start_silence", command),
        ("get_live", ask),
        ("get_stored", ask),
    ):
        monkeypatch.setattr(type(it.asterisk), name, staticmethod(does), raising=False)
    monkeypatch.setattr(type(it.asterisk), "recordings", it.asterisk, raising=False)
    return it


async def test_asterisk_died_as_it_was_to_record_so_the_call_ends(caller: Caller) -> None:
    """Not with an error: the journal would not say that the message has ended, and its file is awaited."""
    caller.asterisk.does = {"carry_out": lambda: NO_REPLY, "get_recording": lambda: NO_REPLY}
    recording = asyncio.create_task(caller.line.record("audio", LIMITS, None, warning=None))
    await asyncio.sleep(1)
    assert not recording.done()
    caller.asterisk.does = {}
    caller.line.lose(LAST_KNOWN)
    with pytest.raises(HungUp):
        await recording


async def test_a_recording_is_forgotten_with_its_message(caller: Caller) -> None:
    """A cycle of line and recording would stay: what has lived for some minutes is not collected for long."""
    gc.disable()
    try:
        with caller.line.spooled("taken over"):
            with caller.line.spooled("audio") as recording:
                left = weakref.ref(recording)
                del recording
            assert left() is None
    finally:
        gc.enable()
