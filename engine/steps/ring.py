"""Perform `ring`: hand the caller over to Asterisk, which rings all at once and connects the first."""

from dialplan.result import Outcome
from dialplan.steps import Ring
from engine.call import Call
from engine.consent import announce_recording


async def ring(step: Ring, call: Call) -> Outcome:
    """What came of it, where nobody took the call. The end of a conversation is HungUp."""
    await announce_recording(call)
    connect = call.ring(step)
    if call.state.handed_over is not None:
        returned = await call.line.connecting(connect)
    else:
        written = call.hand_over(connect)
        if connect.recorder is not None:
            await written  # a recording is on the disk before Asterisk may begin it
        returned = await call.line.connect(connect)
    return call.tried(connect, returned)
