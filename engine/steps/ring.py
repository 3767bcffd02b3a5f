"""Perform `ring`: hand the caller over to Asterisk, which rings all destinations and connects the first."""

from dialplan.prompt import CONFIRM, Prompt
from dialplan.result import Answer, Outcome
from dialplan.second_try import again
from dialplan.steps.ring import Ring
from engine.call import Call
from engine.consent import announce_recording
from engine.line import Connect, HungUp, Recorder, Returned


async def ring(step: Ring, call: Call) -> Answer:
    """Return the outcome of the ring: TAKEN after a conversation, when both parties have left.

    Or a choice: the destinations to be rung again, with another number shown.
    """
    await announce_recording(call)
    connect = connect_of(step, call)
    try:
        returned = await connected(connect, call)
    except HungUp:
        connected_leg = call.state.connected
        if connected_leg is None:
            raise
        call.services.attempted(call.state.legs[connected_leg.leg].to, Outcome.TAKEN)
        if step.remember is not None:
            call.services.remember(call.state, step.path, step.remember)
        return Outcome.TAKEN
    outcome = call.tried(connect, returned)
    retriable = {to.number for to in step.to if to.present_if_refused}
    refused = [attempt.to for attempt in returned.attempts if attempt.refused and attempt.to in retriable]
    if not refused:
        return outcome
    return again([attempt.outcome for attempt in returned.attempts if attempt.to not in refused], refused)


def connect_of(step: Ring, call: Call) -> Connect:
    """Return what Asterisk must connect: a new ring, or the ring that an earlier engine handed over."""
    state = call.state
    return Connect(
        number=len(state.handovers) + (state.handed_over is None),
        to=step.to,
        seconds=step.seconds,
        limit=max(int(call.talk_left.total_seconds()), 1),
        answered=state.answered is not None,
        recorder=recorder_of(call),
        music=call.prompt(step.music)[0] if step.music else None,
        whispers=whispers(step, call),
        question=call.terms.prompt(CONFIRM) if any(to.confirm for to in step.to) else None,
    )


def recorder_of(call: Call) -> Recorder | None:
    """Return how the conversation is recorded; None if the caller was not notified, or refused."""
    if not call.state.consent.caller_may_be_recorded:
        return None
    number, owner = call.terms.number, call.terms.owner
    prompt = None if owner.destinations_know else call.terms.prompt(number.statement(owner))
    if prompt is None and not owner.destinations_know:
        return None
    return Recorder(call.recording_id, prompt, owner.caller_may_stop)


def whispers(step: Ring, call: Call) -> dict[str, Prompt]:
    """Return what each destination hears before it talks with the caller, by its number."""
    prompts = {to.number: call.terms.prompt(to.whisper) for to in step.to if to.whisper}
    return {number: prompt for number, prompt in prompts.items() if prompt}


async def connected(connect: Connect, call: Call) -> Returned:
    """Let Asterisk ring and connect; or wait for the ring that an earlier engine handed over."""
    if call.state.handed_over is not None:
        return await call.line.connecting(connect)
    written = call.hand_over(connect)
    if connect.recorder is not None:
        await written  # a recording is on the disk before Asterisk may begin it
    return await call.line.connect(connect)
