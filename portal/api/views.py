"""From what the database returns to what the API answers: "" becomes null."""

from datetime import datetime

from dialplan.number import Owner, ServiceNumber
from portal.api import shapes
from portal.own_settings import differences
from storage.owned.accesses import AccessView
from storage.owned.messages import MessageView
from storage.owned.recordings import RecordingView
from storage.owned.statistics import Statistics
from storage.records import CallRecord, LegRecord


def call(record: CallRecord) -> shapes.Call:
    return shapes.Call.model_validate(
        {
            "call_id": record.call_id,
            "number": record.number,
            "caller": record.caller or None,
            "withheld": record.withheld,
            "began": record.began,
            "answered": record.answered,
            "connected": record.connected,
            "ended": record.ended,
            "ring_seconds": record.ring.total_seconds(),
            "talk_seconds": record.talk.total_seconds(),
            "delivered_to": record.delivered_to or None,
            "outcome": record.outcome,
            "ended_by": record.ended_by,
            "cause": record.cause,
            "recording_id": record.recording_id or None,
            "message_id": record.message_id or None,
            "choices": list(record.choices),
            "legs": [leg(one) for one in record.legs],
        }
    )


def leg(record: LegRecord) -> shapes.Leg:
    return shapes.Leg(
        destination=record.to,
        began=record.began,
        ringing=record.ringing,
        answered=record.answered,
        connected=record.connected,
        ended=record.ended,
        outcome=record.outcome,
        cause=record.cause,
        sip=record.sip or None,
    )


def message(view: MessageView) -> shapes.Message:
    return shapes.Message.model_validate(
        {
            "message_id": view.message_id,
            "kind": view.kind,
            "call_id": view.call_id,
            "number": view.number,
            "caller": view.caller or None,
            "withheld": view.withheld,
            "began": view.began,
            "state": view.state,
            "why": view.why or None,
            "sound": view.sound or None,
            "seconds": view.seconds,
            "kept_until": view.kept_until,
            "held": view.held,
            "destroyed": view.destroyed,
            "recipients": [
                shapes.Recipient(address=one.address, state=one.state, at=one.at, attempts=one.attempts)
                for one in view.recipients
            ],
        }
    )


def recording(view: RecordingView) -> shapes.Recording:
    return shapes.Recording(
        recording_id=view.audio_id,
        call_id=view.call_id,
        number=view.number,
        caller=view.caller or None,
        withheld=view.withheld,
        began=view.began,
        seconds=view.seconds,
        state=view.state,
        format=view.format,
        kept_seconds=view.kept.total_seconds(),
        destroy_after=view.destroy_after,
        reason=view.reason,
        held=view.held,
        review_on=view.review_on,
        short_by=view.short_by,
        one_way=view.one_way or None,
        silent=view.silent,
        destroyed=view.destroyed,
    )


def settings(owner: Owner, ground: Owner) -> shapes.Settings:
    anonymise = owner.anonymise_after
    return shapes.Settings(
        name=owner.name,
        language=owner.language,
        mail=list(owner.mail),
        mail_then=owner.mail_then,
        audio=owner.audio,
        recordings=owner.recordings,
        missed_calls=owner.missed_calls,
        keep_seconds=owner.keep_recordings.total_seconds(),
        anonymise_seconds=anonymise.total_seconds() if anonymise else None,
        require_tls=owner.require_tls,
        changed=sorted(differences(ground, owner)),
    )


def number(one: ServiceNumber) -> shapes.Number:
    return shapes.Number(
        number=one.number,
        label=one.label,
        timezone=one.zone.key,
        record=one.record.value,
        fallback=str(one.fallback) if one.fallback else None,
        max_minutes=one.max_minutes,
    )


def access(view: AccessView) -> shapes.Access:
    return shapes.Access(
        seq=view.seq,
        at=view.at,
        what=view.what,
        actor=view.actor,
        who=view.who,
        audio_id=view.audio_id or None,
        detail=view.detail or None,
    )


def statistics(found: Statistics, since: datetime, until: datetime, zone: str) -> shapes.Statistics:
    return shapes.Statistics(
        since=since,
        until=until,
        timezone=zone,
        calls=found.total,
        outcomes=found.outcomes,
        hours=[
            shapes.Hour(hour=hour, outcome=outcome, calls=calls)
            for (hour, outcome), calls in sorted(found.hours.items())
        ],
        weekdays=[
            shapes.Weekday(weekday=day, outcome=outcome, calls=calls)
            for (day, outcome), calls in sorted(found.weekdays.items())
        ],
        ring_seconds=found.ring_seconds,
    )
