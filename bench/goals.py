"""The performance goals, and whether a run meets them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

DURING = ("asterisk", "engine")  # the processes that work while a call lasts
BESIDE_ASTERISK = ("engine", "worker", "postgres")
AT = "50"  # calls a second
System = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """Compare `value` with `limit`, in `unit`; the limit is a minimum if `least`, else a maximum."""

    what: str
    value: float
    limit: float
    unit: str
    least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.least else self.value <= self.limit


def goals(results: Mapping[str, Any]) -> list[Goal]:
    """The goals that this run has measured."""
    systems = results["systems"]
    if not {"dialplan", "engine"} <= set(systems):
        return []
    plain, ours, inside = systems["dialplan"], systems["engine"], results["engine"]
    sounds, records = results["sounds"], results["records"]
    return [
        *(beyond(plain, ours, f"setup_{name}", limit) for name, limit in (("p50", 1.5), ("p99", 5.0))),
        *through_the_door(systems),
        *(
            beyond(plain, ours, f"{kind}_p50", 0.3, rate)
            for rate in ours["delays"] for kind in ("answer", "goodbye")
        ),
        Goal("highest rate, of the dialplan's", ours["highest"] / plain["highest"], 0.6, "", least=True),
        Goal("CPU of the engine", ours["cpu"]["engine"], 1.5, "ms a call"),
        Goal("CPU of engine, worker and PostgreSQL", beside_asterisk(ours["cpu"]), 3.0, "ms a call"),
        *beside_many(ours),
        Goal("memory of the engine", most(inside["memory"]), 60.0, "KiB a live call"),
        Goal("lag of its loop at half the highest rate, p99", inside["lag"]["p99"], 10.0, "ms"),
        Goal("losers let go in a three-way ring, p99", ours["race"]["release_p99"], 20.0, "ms"),
        Goal("CPU of a recorded call, of MixMonitor's", of_the_dialplans(sounds["recorded"]), 1.15, ""),
        Goal("CPU of taking a message, of app_voicemail's", of_the_dialplans(sounds["message"]), 1.15, ""),
        *(
            Goal("mails sent, without sound", rate, 500.0, "/s", least=True)
            for kind, rate in records["mailed"].items() if kind == "words"
        ),
        *unchanged(records),
    ]  # fmt: skip


def beyond(plain: System, ours: System, what: str, limit: float, at: str = AT) -> Goal:
    """A delay minus that of the plain dialplan, which has no door."""
    kind, _, name = what.partition("_")
    longer = ours["delays"][at][what] - plain["delays"][at][what]
    return Goal(f"{kind} at {at} calls/s, {name} beyond the dialplan's", longer, limit, "ms")


def through_the_door(systems: Mapping[str, System]) -> list[Goal]:
    if "door" not in systems:
        return []
    goal = beyond(systems["dialplan"], systems["door"], "setup_p50", 0.6)
    return [replace(goal, what=f"of it the door alone, p50 at {AT} calls/s")]


def beside_many(ours: System) -> list[Goal]:
    if "grown" not in ours.get("beside", {}):
        return []
    few, many, grown = ours["beside"]
    return [Goal(f"CPU of a call with {many} live, of that with {few}", ours["beside"][grown], 1.3, "")]


def of_the_dialplans(costs: Mapping[str, Mapping[str, Any]]) -> float:
    """The CPU of the call with the engine, divided by that with the dialplan."""
    return during(costs["engine"]["cpu"]) / during(costs["dialplan"]["cpu"])


def beside_asterisk(cpu: Mapping[str, float]) -> float:
    return sum(cpu.get(part, 0.0) for part in BESIDE_ASTERISK)


def during(cpu: Mapping[str, float]) -> float:
    """The CPU used during the call; the rest is used after it, and may wait."""
    return sum(cpu.get(part, 0.0) for part in DURING)


def unchanged(records: Mapping[str, Any]) -> list[Goal]:
    """Goals for the largest number of records: drain rate and claims change by a fifth at most."""
    none, *_, many = records["drained"]
    before, after = records["claims"][none], records["claims"][many]
    drained = records["drained"][many] / records["drained"][none]
    claims = max(after[kind] / before[kind] for kind in after)
    there = f"with {int(many):,} records there, of that with none"
    return [
        Goal(f"calls drained {there}", drained, 0.8, "", least=True),
        Goal(f"the slowest claim {there}", claims, 1.2, ""),
    ]


def most(memory: Mapping[str, Mapping[str, float]]) -> float:
    """The figure of the largest number of calls: fixed memory has the least weight in it."""
    return list(memory.values())[-1]["engine"] if memory else float("nan")
