"""What the journal has of how a conversation is to be recorded."""

from msgspec import Struct


class RecorderTerms(Struct, frozen=True, gc=False):
    """How the conversation of a hand-over is recorded, if there is one. `audio`: the recording's id.

    `keep_seconds`: the owner's retention when the caller was handed over. `announcement`, `sha256` and
    `language`: the prompt that the destination hears; "" if it agreed once and for all.
    """

    audio: str
    keep_seconds: int
    format: str
    policy: str
    announcement: str = ""
    sha256: str = ""
    language: str = ""
