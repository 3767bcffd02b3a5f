"""A prompt: a spoken text as a file, which is checked before any call needs it."""

from dataclasses import dataclass
from pathlib import Path

# The built-in prompts of a voicemail, in every language.
GREETING, BEEP, GOODBYE, MAILBOX_FULL = "greeting", "beep", "goodbye", "mailbox-full"
VOICEMAIL_PROMPTS = (GREETING, BEEP, GOODBYE, MAILBOX_FULL)
# The built-in prompt that asks a destination to press 1 to take the call.
CONFIRM = "confirm"
# Prompts that announce a recording to a caller, or ask for consent.
RECORDING_PROMPTS = ("recording-announcement", "recording-opt-out", "recording-opt-in")


@dataclass(frozen=True, slots=True)
class Prompt:
    """`name`: as in the route. `path`: of the WAV (8 kHz, 16 bit, mono). `seconds`: its length."""

    name: str
    path: Path
    seconds: float
    sha256: str
