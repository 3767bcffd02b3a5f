"""What was promised, and whether a run keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
    ]  # fmt: skip


def most(memory: Mapping[str, Mapping[str, float]]) -> float:
    """Of the largest number of calls: what there is once, however many calls, weighs least in it."""
    return list(memory.values())[-1]["engine"] if memory else float("nan")
