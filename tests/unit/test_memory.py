"""A process that holds large pieces for a moment does not keep their memory."""

import subprocess
import sys

import pytest

PIECES, PIECE = 100, 600_000  # bytes; about a message of 40 s
MUCH_BYTES = PIECES * PIECE // 2

# A piece that glibc maps raises its threshold when it is freed: those that come after lie in the heap, each
# below something small that stays.
HELD_FOR_A_MOMENT = f"""
import ctypes, os
from process.memory import give_back, return_large_pieces
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

{{before}}
libc.free(libc.malloc(20_000_000))
at_first = resident()
held = []
for _ in range({PIECES}):
    held.append(libc.malloc({PIECE}))
    ctypes.memset(held[-1], 1, {PIECE})
    libc.malloc(1_000)
for piece in held:
    libc.free(piece)
{{after}}
print(resident() - at_first)
"""


def kept(before: str = "", after: str = "") -> int:
    """How many bytes a process keeps of the large pieces that it has freed."""
    script = HELD_FOR_A_MOMENT.format(before=before, after=after)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_glibc_keeps_large_pieces_that_have_been_freed() -> None:
    assert kept() > MUCH_BYTES


@pytest.mark.parametrize("how", [{"before": "return_large_pieces()"}, {"after": "give_back()"}])
def test_large_pieces_go_back_to_the_system(how: dict[str, str]) -> None:
    assert kept(**how) < MUCH_BYTES // 10
