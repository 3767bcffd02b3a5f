"""Fuzzed routing files: each is a routing or an error with a place, never a traceback, never slow."""

import random
import time
from pathlib import Path

import pytest

import config
from config.errors import ConfigErrors, FileError
from config.load import load
from config.policy import Policy
from tests.tiers import heavy
from tests.unit.folders import good_folder

SAMPLES = Path(config.__file__).parent / "samples"
TEXTS = [file.read_bytes() for file in sorted(SAMPLES.rglob("*.yaml"))]
PIECES = [
    *(
        b"&a ",
        b"*a",
        b"!!python/object:os.system ",
        b"{",
        b"}",
        b"[",
        b"]",
        b": ",
        b"- ",
        b"\t",
        b"\x00",
        b"\xff",
    ),
    *(
        b"'",
        b'"',
        b"|",
        b">",
        b"%YAML 9.9\n",
        b"---\n",
        b"...\n",
        b"? ",
        b"<<: ",
        b"\xf0\x9f\x93\x9e",
        b"=",
        b"~",
    ),
    *(b"9" * 400, b"[" * 300, b"null", b"1e999", b"\xe2\x80\xa8", b"route:\n", b"0o17", b"-0", b"2026-11-28"),
    b"  - menu: {prompt: welcome, keys: {1: [ring: +3221112233]}}\n",
    b"  - use: evening\n",
    b"expect:\n  - {at: 2026-02-30 10:00}\n",
]
SECONDS = 1.0  # of CPU: never more


def fuzzed(chance: random.Random) -> bytes:
    """A sample with one to six changes: pieces put in, lines moved, doubled or cut, bytes changed."""
    text = chance.choice(TEXTS)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(5):
            case 0:
                text = text[:at] + chance.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[at + chance.randrange(40) :]
            case 2:
                text = text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :]
            case 3:
                lines = text.splitlines(keepends=True)
                lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines or [b"\n"]))
                text = b"".join(lines)
            case _:
                text = text[:at] + text[at : at + 200] * chance.randint(2, 5) + text[at + 200 :]
    return text


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=heavy) for seed in range(1, 34))])
def test_a_fuzzed_file_is_a_routing_or_an_error(seed: int, tmp_path: Path) -> None:
    """300 files; with the heavy ones 10,200."""
    chance = random.Random(seed)
    folder = good_folder(tmp_path)
    places = [folder / part / "fuzzed.yaml" for part in ("numbers", "owners", "routes")]
    (folder / "routes").mkdir()
    for _ in range(300):
        text, place = fuzzed(chance), chance.choice(places)
        place.write_bytes(text)
        began = time.process_time()
        errors: tuple[FileError, ...] = ()
        try:
            load(folder, Policy())
        except ConfigErrors as wrong:
            errors = wrong.errors
        assert all(str(error).startswith(str(folder)) for error in errors)
        assert time.process_time() - began < SECONDS, text
        place.unlink()
