"""Results as Markdown tables, for the terminal and for the page."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.goals import DURING, during, goals

Row = Sequence[str]


def tables(results: Mapping[str, Any]) -> str:
    parts = [
        figures_of_delays,
        figures_of_rates,
        figures_of_sounds,
        figures_of_goals,
        figures_of_engine,
        figures_of_records,
        figures_of_failures,
    ]
    return "\n\n".join(filter(None, (part(results) for part in parts))) + "\n"


def table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table with padded columns, so that a terminal shows it well too."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    written = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    written.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(written)


def figures_of_delays(results: Mapping[str, Any]) -> str:
    def rows() -> Iterator[Row]:
        for name, system in results["systems"].items():
            for rate, delays in system["delays"].items():
                range_of = system.get("spread", {}).get("delays", {}).get(rate, {})
                yield (
                    name,
                    rate,
                    both(delays, "setup"),
                    f"{least_most(range_of, 'setup_p50')} / {least_most(range_of, 'setup_p99')}",
                    *(both(delays, kind) for kind in ("answer", "goodbye")),
                    failures(delays),
                )

    head = (
        "system",
        "calls/s",
        "setup p50 / p99, ms",
        "least to most",
        "answer, ms",
        "goodbye, ms",
        "failed",
    )
    return table(head, rows())


def figures_of_rates(results: Mapping[str, Any]) -> str:
    systems = results["systems"]
    first = next(iter(systems.values()))["highest"]
    rows = [
        (name, f"{one['highest']:.0f} ({least_most(one.get('spread', {}), 'highest', 0)})",
         f"{one['highest'] / first:.2f}", both(one["race"], "release"), cpu(one["cpu"]), beside(one))
        for name, one in systems.items()
    ]  # fmt: skip
    head = (
        "system",
        "highest calls/s",
        "of the first",
        "losers let go p50 / p99, ms",
        "CPU, ms a call at 50/s",
        "CPU of a call, all processes, beside live ones",
    )
    return table(head, rows)


SOUNDS = {
    "talk": "a call of 10 s with G.711",
    "recorded": "the same, recorded",
    "message": "a message of 5 s",
}


def figures_of_sounds(results: Mapping[str, Any]) -> str:
    def rows() -> Iterator[Row]:
        for kind, systems in results["sounds"].items():
            first = during(next(iter(systems.values()))["cpu"])
            for name, one in systems.items():
                cost = during(one["cpu"])
                after = {part: of for part, of in one["cpu"].items() if part not in DURING}
                yield (
                    SOUNDS[kind],
                    name,
                    f"{cost:.1f} ({cpu(one['cpu'], only=DURING)})",
                    f"{cost / first:.2f}",
                    least_most(one, "spread", 1),
                    cpu(after) or "-",
                    failures(one),
                )

    head = (
        "with sound",
        "system",
        "CPU of the call, ms",
        "of the first",
        "all of it, least to most",
        "and after it, ms",
        "failed",
    )
    return table(head, rows())


def figures_of_goals(results: Mapping[str, Any]) -> str:
    rows = [
        (goal.what, f"{goal.value:.3g} {goal.unit}".strip(), f"{'>=' if goal.least else '<='} {goal.limit:g}",
         "yes" if goal.met else "NO")
        for goal in goals(results)
    ]  # fmt: skip
    return table(("goal", "measured", "wanted", "met"), rows) if rows else ""


def figures_of_engine(results: Mapping[str, Any]) -> str:
    if "engine" not in results:
        return ""
    inside = results["engine"]
    rows = [
        *((f"{what} a call", traffic(inside["traffic"][what])) for what in ("commands", "events")),
        *(
            (f"memory of {one['live']:,.0f} live calls{words}", memory(one))
            for part, words in (("memory", ""), ("memory_with_media", " with G.711"))
            for one in inside.get(part, {}).values()
        ),
        (f"lag of the loop at {inside['lag']['rate']:.0f} calls/s", f"p99 {inside['lag']['p99']:.1f} ms"),
        (f"one of {inside['reload']['numbers']:,} numbers changed at 50 calls/s", reloaded(inside["reload"])),
    ]
    return table(("engine", ""), rows)


def figures_of_failures(results: Mapping[str, Any]) -> str:
    """For each load with failed calls: how many failed in which way; below it the first of them."""
    loads = list(failed_loads(results))
    if not loads:
        return ""
    rows = [
        (
            f"{name}: {load['where']}",
            f"{load['failed']} of {load['placed']}",
            counted(load["kinds"]),
            counted(load["retransmitted"]) or "-",
        )
        for name, load in loads
    ]
    head = ("failed calls", "failed", "what their callers saw", "retransmitted, of all calls")
    calls = [
        "\n".join(
            [
                f"{name}, {load['where']}, the first {len(load['calls'])}:",
                "",
                *(f"- {call}" for call in load["calls"]),
            ]
        )
        for name, load in loads
    ]
    return "\n\n".join([table(head, rows), *calls])


def failed_loads(results: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The loads with failed calls, each with the name of the system."""
    for name, system in results["systems"].items():
        yield from ((name, load) for load in system.get("failures", ()))
    for systems in results["sounds"].values():
        for name, one in systems.items():
            yield from ((name, load) for load in one.get("failures", ()))
    yield from (("engine", load) for load in results.get("engine", {}).get("failures", ()))


def counted(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{kind}: {count}" for kind, count in kinds.items())


MAILS = {"words": "mails sent, without sound", "sound": "mails sent, each with an MP3 to be made"}


def figures_of_records(results: Mapping[str, Any]) -> str:
    journal, records = results["journal"], results["records"]
    durable = f"after p50 {journal['durable_p50']:.2f}, p99 {journal['durable_p99']:.2f} ms"
    rows = [
        ("an entry of the journal is on the disk", durable),
        ("a burst of entries", f"{journal['burst']:,.0f}/s"),
        *((MAILS[kind], f"{rate:,.0f}/s") for kind, rate in records["mailed"].items()),
        *(
            (f"calls drained, {int(size):,} records there", f"{rate:,.0f}/s")
            for size, rate in records["drained"].items()
        ),
        *(
            (f"a claim, {int(size):,} records there", claimed(claims))
            for size, claims in records["claims"].items()
        ),
        *(
            (f"`callengine calls`, {what} of {int(size):,}", f"{seconds:.2f} s")
            for size, asked in records["asked"].items()
            for what, seconds in asked.items()
        ),
    ]
    return table(("records", ""), rows)


def traffic(one: Mapping[str, Any]) -> str:
    return f"{one['messages']:.1f}, {one['bytes'] / 1000:.1f} kB"


def memory(one: Mapping[str, float]) -> str:
    text = f"engine {one['engine']:.0f}, Asterisk {one['asterisk']:.0f} KiB a call"
    return f"{text} ({one['failed']:.0f} failed)" if one["failed"] else text


def reloaded(one: Mapping[str, float]) -> str:
    setup = f"setup meanwhile p50 {one['setup_p50']:.1f}, p99 {one['setup_p99']:.1f} ms"
    return f"in force after {one['seconds']:.1f} s; {setup}; {one['failed']:.0f} failed"


def least_most(spread: Mapping[str, Sequence[float]], name: str, digits: int = 2) -> str:
    """Minimum and maximum of the turns."""
    if name not in spread:
        return "-"
    return " to ".join(f"{value:.{digits}f}" for value in spread[name])


def beside(system: Mapping[str, Any]) -> str:
    """The cost of a call beside few and beside many live ones, and the ratio."""
    costs = dict(system.get("beside", {}))
    if not (grown := costs.pop("grown", 0.0)):
        return "-"
    text = ", ".join(f"{live}: {ms:.1f} ms" for live, ms in costs.items())
    return f"{text}: x {grown:.2f} ({least_most(system['spread']['beside'], 'grown')})"


def both(delays: Mapping[str, float], kind: str) -> str:
    if f"{kind}_p50" not in delays:
        return "-"
    return f"{delays[f'{kind}_p50']:.2f} / {delays[f'{kind}_p99']:.2f}"


def failures(delays: Mapping[str, float]) -> str:
    return f"{delays['failed']:.0f} of {delays['placed']:.0f}"


def claimed(claims: Mapping[str, float]) -> str:
    return ", ".join(f"{kind} {ms:.2f}" for kind, ms in claims.items()) + " ms"


def cpu(costs: Mapping[str, float], only: Collection[str] = ()) -> str:
    wanted = {name: cost for name, cost in costs.items() if name in only or not only}
    return " + ".join(f"{name} {cost:.2f}" for name, cost in wanted.items() if cost >= 0.005)
