"""A spoken text as a file that was checked before any call needs it."""

from dataclasses import dataclass
from pathlib import Path

# The prompts of a voicemail that callengine brings along, in every language.
GREETING, BEEP, GOODBYE, MAILBOX_FULL = "greeting", "beep", "goodbye", "mailbox-full"
VOICEMAIL_PROMPTS = (GREETING, BEEP, GOODBYE, MAILBOX_FULL)
# Prompts that announce a recording to a caller, or ask for consent.
RECORDING_PROMPTS = ("recording-announcement", "recording-opt-out", "recording-opt-in")


@dataclass(frozen=True, slots=True)
class Prompt:
    """`name` as the route says it, `path` of the WAV (8 kHz, 16 bit, mono), length, SHA-256 in hex."""

    name: str
    path: Path
    seconds: float
    sha256: str
