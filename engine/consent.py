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
    """Announce the recording to the caller, once, or ask. If anything fails, the call is not recorded.

    It is announced before anything rings: the caller has not been answered, and pays nothing for it.
    """
    if call.state.consent.caller is not None or call.terms.number.record is RecordingPolicy.OFF:
        return
    if why := await call.services.why_no_recording():
        call.caller_not_notified("skipped", why)
        log.error("call_not_recorded", why=why)
        return
    try:
        is_notified = await _announce(call)
    except HungUp:
        raise
    except Exception:
        is_notified = False
        log.exception("announcement_failed")
    if not is_notified:
        call.caller_not_notified("failed", NOT_HEARD)
        log.error("call_not_recorded", why=NOT_HEARD)


async def _announce(call: Call) -> bool:
    number, owner = call.terms.number, call.terms.owner
    prompt, language = call.prompt(number.announcement(owner))
    if prompt is None:
        return False
    notice = await call.line.announce_recording(Announcement(number.record, prompt, language))
    if notice is not None:
        call.caller_notified(notice)
    return notice is not None
