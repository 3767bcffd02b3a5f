"""`callengine doctor` beside a running service: it finds no error, and finds the engine that is away."""

import asyncio
import json
import sys
from typing import Any

from tests.live.fragile import Fragile
from tests.live.service import House, Service

# What other tests leave in the metrics and the spool of this service, and the disk of this machine.
NOT_OURS = ("metrics", "spool", "disk", "clock")
WITHOUT = [word for check in NOT_OURS for word in ("--without", check)]


async def test_the_doctor_finds_no_error_and_then_the_engine_that_is_away(
    service: Service, engine: Fragile
) -> None:
    status, well = await doctor(service.house)
    assert [finding for finding in well["findings"] if finding["level"] == "error"] == []
    assert status == 0
    assert {"database", "schema", "keys", "store", "asterisk", "alive", "fallback"} <= set(well["checks"])

    await engine.end()
    status, ill = await doctor(service.house)
    assert status == 1
    assert "engine" in {finding["check"] for finding in ill["findings"] if finding["level"] == "error"}


async def doctor(house: House) -> tuple[int, Any]:
    """Its exit status, and what it prints as JSON."""
    words = ("doctor", "--state", str(house.state), "--format", "json", *WITHOUT)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", *words),
        stdout=asyncio.subprocess.PIPE,
        env=house.run.full_environment(),
    )
    output, _ = await process.communicate()
    return process.returncode or 0, json.loads(output)
