"""100,000 damaged SIP messages under real calls of every kind: promises hold, and Asterisk does not grow."""

import os
from pathlib import Path

import pytest

from tests.faults.field import open_field
from tests.faults.flooding import mutated
from tests.faults.matrix import described, run
from tests.faults.rows import Row, of
from tests.faults.soak import Lives, sampling

COUNT = int(os.environ.get("MUTATIONS", "100000"))
MOST = 600 << 20  # bytes; SIP transactions live for 32 s (RFC 3261, timers H and J), here 35,000 of them
GROWS = 1.1  # of the second half against the first, at most


@pytest.mark.heavy
@pytest.mark.alone
@pytest.mark.timeout(3600)
async def test_under_mutated_messages_every_promise_holds_and_asterisk_does_not_grow(tmp_path: Path) -> None:
    lives = Lives()
    async with open_field(tmp_path) as field:
        async with sampling(field, lives, every=1.0):
            cell = await run(field, [Row(f"{COUNT} mutated SIP messages", of(mutated, COUNT), seconds=1.0)])
        ((_, samples),) = [it for it in lives.samples.items() if it[0][0] == "asterisk"]
    memory = [sample.memory for sample in samples]
    first, second = memory[: len(memory) // 2], memory[len(memory) // 2 :]
    print(described(cell), f"Asterisk: {max(first) >> 20} MiB, then {max(second) >> 20} MiB")
    assert cell.violations == {}
    assert all(cell.counted.values()), cell.counted
    assert max(second) < max(first) * GROWS
    assert max(memory) < MOST
