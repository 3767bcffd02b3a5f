"""What the journal says of how a conversation is recorded."""

from dialplan.number import Owner, RecordingPolicy
from engine.line import Recorder
from journal.recorder_terms import RecorderTerms


def recorder_terms(owner: Owner, policy: RecordingPolicy, recorder: Recorder) -> RecorderTerms:
    """Return the terms of a recording of this owner under this policy of the number."""
    prompt = recorder.prompt
    return RecorderTerms(
        audio=recorder.audio_id,
        keep_seconds=int(owner.keep_recordings.total_seconds()),
        format=owner.recordings,
        policy=policy.value,
        announcement=prompt.name if prompt else "",
        sha256=prompt.sha256 if prompt else "",
        language=owner.language if prompt else "",
    )
