"""Consent to a recording: the caller hears that the call is recorded, or is asked, before anything rings.

The destination hears it after it has answered, and Asterisk records only then (recorder.conf).
"""

import structlog

from dialplan.number import RecordingPolicy
from engine.call import Call
from engine.line import HungUp
from engine.notice import Announcement

log = structlog.get_logger()

NOT_HEARD = "the announcement was not heard to its end"


async def announce_recording(call: Call) -> None:
    """Tell the caller once, or ask. If anything fails, the call goes on unrecorded.

    Before anything rings: while unanswered, the caller pays nothing for it.
    """
    if call.state.consent.caller is not None or call.terms.number.record is RecordingPolicy.OFF:
        return
    if why := await call.services.why_no_recording():
        call.not_announced("skipped", why)
        log.error("call_not_recorded", why=why)
        return
    try:
        heard = await _announce(call)
    except HungUp:
        raise
    except Exception:
        heard = False
        log.exception("announcement_failed")
    if not heard:
        call.not_announced("failed", NOT_HEARD)
        log.error("call_not_recorded", why=NOT_HEARD)


async def _announce(call: Call) -> bool:
    number, owner = call.terms.number, call.terms.owner
    prompt = call.terms.prompt(number.announcement(owner))
    if prompt is None:
        return False
    heard = await call.line.announce_recording(Announcement(number.record, prompt, owner.language))
    if heard is not None:
        call.announced_as(heard)
    return heard is not None
