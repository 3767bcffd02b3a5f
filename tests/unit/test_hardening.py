"""What the worker's unit denies (MemoryDenyWriteExecute) is not needed for its work."""

import ctypes
import os
import subprocess
import sys

import pytest

PR_GET_MDWE = 66  # linux/prctl.h, since Linux 6.3; systemd does the same by a filter
PROGRAM = """
import ctypes, struct
assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0  # PR_SET_MDWE
import asyncpg, boto3, dns.asyncresolver
from mailer.audio import encode
from storage.key_wrapper import new_key, open_sealed, seal
from storage.wave import whole
header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 16036, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16,
                     b"data", 16000)
key = new_key()
wav = whole(open_sealed(key, "id", seal(key, "id", header + bytes(16000)))).wav
print([codec for codec in ("wav", "mp3", "small", "opus") if encode(wav, codec, 7).data])
"""


@pytest.mark.skipif(
    ctypes.CDLL(None).prctl(PR_GET_MDWE, 0, 0, 0, 0) < 0, reason="this kernel cannot deny it to one process"
)
def test_a_sound_is_opened_and_encoded_without_memory_that_is_both_written_and_executed() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert shown.stdout == "['wav', 'mp3', 'small', 'opus']\n", shown.stderr
