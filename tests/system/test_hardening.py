"""Under the full hardening of their units all stay up; an engine that stands still is restarted."""

import pytest

from tests.system.guest import Guest
from tests.system.test_guide import UNITS, shown

pytestmark = [pytest.mark.timeout(1800)]
UP_SECONDS = 60
WORKER_METRICS = "curl -sf http://127.0.0.1:9461/metrics"


async def test_every_unit_stays_up_under_its_full_hardening(production: Guest) -> None:
    for unit in UNITS:
        since = "$(systemctl show -P ActiveEnterTimestampMonotonic " + unit + ")"
        await production.until(
            f"test $(({since} / 1000000 + {UP_SECONDS})) -le $(cut -d. -f1 /proc/uptime)", UP_SECONDS + 30
        )
        state = shown(production, unit, "ActiveState", "NRestarts", "Type")
        assert state == {"ActiveState": "active", "NRestarts": "0", "Type": "notify"}, production.log(unit)
    assert production.run("systemctl --failed --plain --no-legend") == ""


async def test_the_worker_may_compare_calls_in_a_process_of_its_own(production: Guest) -> None:
    await production.until(f"{WORKER_METRICS} | grep -E '^callengine_reconciled_age_seconds [0-9]'", 150)
    assert "calls_not_reconciled" not in production.log("callengine-worker")


async def test_a_loop_that_stands_still_is_ended_and_the_engine_comes_back(production: Guest) -> None:
    before = shown(production, "callengine-engine", "MainPID")["MainPID"]
    production.run(f"kill -STOP {before}")
    await production.until(
        f"pid=$(systemctl show -P MainPID callengine-engine); test $pid != {before} -a $pid != 0 &&"
        " curl -sf http://127.0.0.1:9460/ready",
        60,
    )
    assert shown(production, "callengine-engine", "NRestarts")["NRestarts"] == "1"
