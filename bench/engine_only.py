"""Measurements of the engine alone: memory of live calls, loop lag, the reload of a large folder."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from bench.calls import quantile
from bench.known import note
from bench.processes import resident_bytes
from bench.rates import rest
from bench.sipp import NUMBER, Drive
from bench.systems import System, ring, write_number, write_routing
from bench.waiting import until

RAMP_RATE, LONGEST_RAMP = 50.0, 21.0
SETTLE = 3.0
LAG = re.compile(r'^callengine_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)
LIVE = re.compile(r"^callengine_calls_live (\S+)$", re.MULTILINE)
IN_FORCE = re.compile(r'"numbers": ([0-9]+).*"event": "routing_in_force"')
RELOAD_RATE = 50.0


async def memory(system: System, sizes: Sequence[int], *, media: bool = False) -> dict[str, dict[str, float]]:
    """By number of live calls: the additional KiB of engine and Asterisk for each call.

    All calls begin within 21 s: after 30 s without media Asterisk would hang up (pjsip.conf).
    """
    await rest(system)
    idle = resident(system)
    memory_by_size = {}
    for size in sizes:
        await rest(system)
        rate = max(RAMP_RATE, size / LONGEST_RAMP)
        ramp = size / rate
        drive = Drive(rate, ramp, talk=ramp + 2 * SETTLE, media=media)
        driving = asyncio.create_task(system.ends.drive(drive))
        await asyncio.sleep(ramp + SETTLE)
        live, now = await live_calls(system), resident(system)
        load = await driving
        await note(system, f"{size:,} live calls, {rate:.0f} begun a second", load)
        memory_by_size[str(size)] = {
            "live": live,
            "failed": load.failed,
            **{name: (now[name] - idle[name]) / 1024 / max(live, 1) for name in now},
        }
    return memory_by_size


def resident(system: System) -> dict[str, int]:
    return {name: resident_bytes(system.pids[name]) for name in ("engine", "asterisk")}


async def loop_lag(system: System, rate: float, seconds: float) -> float:
    """The 99th percentile of the engine's loop lag under this load, ms."""
    before = lag_buckets(await scraped(system))
    load = await system.ends.drive(Drive(rate, seconds))
    await note(system, f"lag of the loop, {rate:.0f} calls/s", load)
    after = lag_buckets(await scraped(system))
    return 1000 * bucket_quantile({le: after[le] - before[le] for le in after}, 0.99)


async def reload(system: System, others: int) -> dict[str, float]:
    """Change one file of a folder with `others` more, while calls arrive."""
    if system.routing is None:
        raise ValueError("this system has no routing folder")
    write_routing(system.routing, others)
    log = system.state / "log" / "engine.log"
    await until(lambda: routings(log)[-1] >= others)
    await rest(system)
    known = len(routings(log))
    driving = asyncio.create_task(system.ends.drive(Drive(RELOAD_RATE, 14)))
    await asyncio.sleep(4)
    began = asyncio.get_running_loop().time()
    write_number(system.routing, NUMBER, ring("+32470000002"))
    await until(lambda: len(routings(log)) > known)
    took = asyncio.get_running_loop().time() - began
    load = await driving
    await note(system, f"one of {others:,} numbers changed, {RELOAD_RATE:g} calls/s", load)
    setups = [call.setup for call in load.calls]
    return {
        "numbers": others,
        "seconds": took,
        "failed": load.failed,
        "setup_p50": quantile(setups, 0.5),
        "setup_p99": quantile(setups, 0.99),
    }


def routings(log: Path) -> list[int]:
    """The count of numbers in each routing_in_force event of the log."""
    return [int(numbers) for numbers in IN_FORCE.findall(log.read_text())]


async def live_calls(system: System) -> int:
    match = LIVE.search(await scraped(system))
    return int(float(match[1])) if match else 0


async def scraped(system: System) -> str:
    """The engine's metrics, as text."""
    async with aiohttp.ClientSession() as session, session.get(str(system.metrics)) as reply:
        return await reply.text()


def lag_buckets(text: str) -> dict[float, float]:
    return {float(le): float(count) for le, count in LAG.findall(text)}


def bucket_quantile(buckets: Mapping[float, float], share: float) -> float:
    """As Prometheus' histogram_quantile: linear within a bucket; buckets are cumulative."""
    total = max(buckets.values(), default=0)
    lower, below = 0.0, 0.0
    for le, count in sorted(buckets.items()):
        if count >= share * total and count > below:
            if le == float("inf"):
                return lower
            return lower + (le - lower) * (share * total - below) / (count - below)
        lower, below = le, count
    return float("nan")
