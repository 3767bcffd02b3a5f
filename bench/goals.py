"""What was promised, and whether a run keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DURING = ("asterisk", "engine")  # the processes that work while a call lasts


@dataclass(frozen=True, slots=True)
class Goal:
    """`value` against `limit`, in `unit`; it is a least where `least`, else a most."""

    what: str
    value: float
    limit: float
    unit: str
    least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.least else self.value <= self.limit


def goals(results: Mapping[str, Any]) -> list[Goal]:
    """The goals this run can tell of."""
    systems = results["systems"]
    if not {"dialplan", "engine"} <= set(systems):
        return []
    plain, ours, inside = systems["dialplan"], systems["engine"], results["engine"]
    sounds, records = results["sounds"], results["records"]
    at = "50"
    return [
        *(
            Goal(f"setup at {at} calls/s, {name} beyond the dialplan's",
                 ours["delays"][at][f"setup_{name}"] - plain["delays"][at][f"setup_{name}"], limit, "ms")
            for name, limit in (("p50", 2.0), ("p99", 6.0))
        ),
        Goal("highest rate, of the dialplan's", ours["highest"] / plain["highest"], 0.5, "", least=True),
        Goal("CPU of the engine", ours["cpu"]["engine"], 2.0, "ms a call"),
        Goal("memory of the engine", most(inside["memory"]), 60.0, "KiB a live call"),
        Goal("lag of its loop at half the highest rate, p99", inside["lag"]["p99"], 10.0, "ms"),
        Goal("losers let go in a three-way ring, p99", ours["race"]["release_p99"], 100.0, "ms"),
        Goal("CPU of a recorded call, of MixMonitor's", of_the_dialplans(sounds["recorded"]), 1.2, ""),
        Goal("CPU of taking a message, of app_voicemail's", of_the_dialplans(sounds["message"]), 1.0, ""),
        *(
            Goal("mails sent, without sound", rate, 500.0, "/s", least=True)
            for kind, rate in records["mailed"].items() if kind == "words"
        ),
        *unchanged(records),
    ]  # fmt: skip


def of_the_dialplans(costs: Mapping[str, Mapping[str, Any]]) -> float:
    """What the call itself costs with the engine, of what it costs with the dialplan."""
    return during(costs["engine"]["cpu"]) / during(costs["dialplan"]["cpu"])


def during(cpu: Mapping[str, float]) -> float:
    """Of a call's CPU that of the call itself; what is left comes after it, and may wait."""
    return sum(cpu.get(part, 0.0) for part in DURING)


def unchanged(records: Mapping[str, Any]) -> list[Goal]:
    """That many records, the most of this run, change neither drain rate nor claims by more than a fifth."""
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
    """Of the largest number of calls: what there is once, however many calls, weighs least in it."""
    return list(memory.values())[-1]["engine"] if memory else float("nan")
