"""What a caller would hear of a supposed call, as one piece of audio with a timeline."""

import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from config.sound import telephone
from dialplan.number import Owner, ServiceNumber
from dialplan.prompt import BEEP, Prompt
from dialplan.references import MusicName
from dialplan.rehearse import Rehearsal
from dialplan.result import Answer, Outcome
from dialplan.routing import Routing
from dialplan.step import StepModel, Turn

RATE = 8000  # Hz
RINGING_HZ, RINGING_ON, RINGING_PERIOD = 425, 1.0, 4.0  # ETSI TR 101 041: most of Europe
LEVEL = 0.1  # of full scale, -20 dBFS as prompts
# How long a destination is supposed to ring, by the outcome; without an answer it rings its whole time.
RINGING_SECONDS = {
    Outcome.TAKEN: 5.0,
    Outcome.BUSY: 1.0,
    Outcome.REJECTED: 2.0,
    Outcome.UNREACHABLE: 1.0,
    Outcome.FAILED: 1.0,
}
THINKING = 1.0  # s: from the end of a menu's prompt to the key
MESSAGE = 3.0  # s of silence, for the message
MOST_SECONDS = 1800.0

type Samples = npt.NDArray[np.int16]


@dataclass(slots=True)
class Listening:
    """The audio so far, and what is heard when: the second at which it begins, and words for it."""

    routing: Routing
    number: ServiceNumber
    parts: list[Samples] = field(default_factory=list)
    timeline: list[tuple[float, str]] = field(default_factory=list)
    language: str = ""  # that the caller has chosen

    @property
    def seconds(self) -> float:
        return sum(map(len, self.parts)) / RATE

    @property
    def owner(self) -> Owner:
        return self.routing.owner(self.number)

    def call(self, rehearsal: Rehearsal) -> None:
        """Hear all steps of a rehearsed call, and its end."""
        announced = not self.number.record.announcement
        for node in rehearsal.path:
            if isinstance(node, Turn):
                self._say(f"{node.step}: {node.why}")
                self.language = node.language or self.language
                continue
            step, answer = node
            if step.destinations and not announced:
                self._prompt(self.number.announcement(self.owner))
                announced = True
            self._step(step, answer)
        self._say(f"the call ends: {rehearsal.result}")

    def lines(self) -> Iterator[str]:
        """The timeline, a line for each event."""
        for begins, what in self.timeline:
            yield f"{int(begins // 60):3}:{begins % 60:04.1f}  {what}"

    def write(self, file: Path) -> None:
        """Write the audio as a WAV file: 8 kHz, 16 bit, mono. Raises OSError."""
        with file.open("wb") as opened, wave.open(opened, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(np.concatenate([*self.parts, np.zeros(0, np.int16)]).tobytes())

    def _step(self, step: StepModel, answer: Answer) -> None:
        seconds = float(getattr(step, "seconds", 0))
        if step.destinations:
            rung = min(RINGING_SECONDS.get(Outcome(answer), seconds), seconds)
            self._waiting(step, rung, f"{', '.join(to.summary for to in step.destinations)} rings")
            self._say(f"{answer}")
        elif step.takes_message:
            self._prompts(step)
            self._prompt(BEEP)
            self._silence(MESSAGE, f"the caller speaks: a message of at most {seconds:.0f} s")
        elif step.chooses:
            self._choose(step, answer, seconds)
        elif step.prompts:
            self._prompts(step)
        elif seconds:
            self._waiting(step, seconds, f"{step.step}")

    def _choose(self, step: StepModel, answer: Answer, seconds: float) -> None:
        """A menu: without a key its prompt is played again. A limit is not heard."""
        times = int(getattr(step, "tries", 1)) if answer == "timeout" else 1
        for _ in range(times if step.prompts else 0):
            self._prompts(step)
            self._silence(seconds if answer == "timeout" else THINKING, "the caller thinks")
        self._say(f"{step.step}: {answer}")

    def _prompts(self, step: StepModel) -> None:
        for name in step.prompts:
            self._prompt(name)

    def _prompt(self, name: str) -> None:
        if (prompt := self._prompt_of(name)) is not None:
            self._add(_audio(prompt), f"prompt {name}")

    def _prompt_of(self, name: str) -> Prompt | None:
        """The prompt in the language that the caller has chosen, else in the owner's."""
        return self.routing.prompt(name, self.language or self.owner.language)

    def _waiting(self, step: StepModel, seconds: float, what: str) -> None:
        """Ringing, or the step's music again and again."""
        music = [self._prompt_of(name) for name in step.values_of(MusicName)]
        if music and music[0] is not None:
            sound = np.resize(_audio(music[0]), int(seconds * RATE))
            self._add(sound, f"{what}: music {music[0].name}")
        else:
            self._add(ringing(seconds), f"{what}: ringing")

    def _silence(self, seconds: float, what: str) -> None:
        self._add(np.zeros(int(seconds * RATE), np.int16), what)

    def _add(self, samples: Samples, what: str) -> None:
        room = max(0, int((MOST_SECONDS - self.seconds) * RATE))
        self._say(f"{what} ({len(samples) / RATE:.1f} s)")
        self.parts.append(samples[:room])

    def _say(self, what: str) -> None:
        self.timeline.append((self.seconds, what))


def ringing(seconds: float) -> Samples:
    """The tone that a caller hears while it rings, for so long."""
    at = np.arange(int(seconds * RATE)) / RATE
    tone = LEVEL * 32767 * np.sqrt(2) * np.sin(2 * np.pi * RINGING_HZ * at)
    return np.where(at % RINGING_PERIOD < RINGING_ON, tone, 0).astype(np.int16)


def _audio(prompt: Prompt) -> Samples:
    """The prompt as Asterisk plays it: converted as when it goes live."""
    with wave.open(BytesIO(telephone(prompt.path.read_bytes())), "rb") as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
