"""`callengine explain` prints the path that the live call took: both are run, and compared."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from devkit.carrier import Answers, Behaviour, Refuses, Rings
from devkit.phones import WITHHELD, Identity
from tests.live.agreed import Route
from tests.live.followed import Json
from tests.live.service import Service
from tests.live.sinks import callengine, canary

BRUSSELS = "Europe/Brussels"


@dataclass(frozen=True)
class Case:
    """A route, what its destinations do in turn, and the outcome of each ring that this must come to."""

    route: Callable[..., Route]
    rings: Mapping[str, Behaviour] = field(default_factory=dict)
    zone: str = BRUSSELS
    settings: Mapping[str, Any] = field(default_factory=dict)
    withheld: bool = False


def around(zone: str, begins: int, ends: int) -> str:
    """Opening hours of every day, from so many hours after now to so many, in local time there."""
    now = datetime.now(ZoneInfo(zone))
    clock = [(now + timedelta(hours=hours)).strftime("%H:%M") for hours in (begins, ends)]
    return f"daily {'-'.join(clock)}"


def today(zone: str) -> str:
    return datetime.now(ZoneInfo(zone)).date().isoformat()


def office(hours: str, **branches: Route) -> Callable[..., Route]:
    """A route with opening hours that then rings its one destination."""
    return lambda *to: [{"hours": {"open": hours, **branches}}, *({"ring": it} for it in to)]


CLOSED: Route = [{"announce": "closed"}, {"hangup": "closed"}]
# The destination hangs up: a step in which the caller does has no outcome, the call is over.
BUSY, ABSENT, TAKEN = Refuses(486), Rings(), Answers(0.1, hangs_up_after=0.3)
CASES = {
    "open": Case(office(around(BRUSSELS, -2, 2), closed=CLOSED), {"taken": TAKEN}),
    "closed": Case(office(around(BRUSSELS, 2, 4), closed=CLOSED)),
    "closed, nothing said": Case(office(around(BRUSSELS, 2, 4))),
    "holiday": Case(
        office("daily 00:00-23:59", closed=CLOSED, holiday=[{"announce": "sorry"}]),
        settings={"holidays": ["BE", today(BRUSSELS)]},
    ),
    "holiday as closed": Case(
        office("daily 00:00-23:59", closed=CLOSED), settings={"holidays": [today(BRUSSELS)]}
    ),
    "far east": Case(
        office(around("Pacific/Auckland", -3, 1), closed=CLOSED), {"taken": TAKEN}, zone="Pacific/Auckland"
    ),
    "far west": Case(office(around("America/St_Johns", 1, 3), closed=CLOSED), zone="America/St_Johns"),
    "same hours, other zone": Case(
        office(around(BRUSSELS, -2, 2), closed=CLOSED), zone="Asia/Tokyo", withheld=True
    ),
    "busy, then another": Case(
        lambda a, b: [{"announce": "welcome"}, {"ring": {"to": a, "busy": [{"ring": b}]}}],
        {"busy": BUSY, "taken": TAKEN},
    ),
    "hours within a branch": Case(
        lambda a: [{"ring": {"to": a, "unreachable": office(around(BRUSSELS, 1, 2), closed=CLOSED)()}}],
        {"unreachable": Refuses(404)},
    ),
    "declined, then nobody, then the end": Case(
        lambda a, b: [{"ring": a}, {"ring": {"to": b, "seconds": 5}}, {"announce": "sorry"}],
        {"rejected": Refuses(603), "no_answer": ABSENT},
        withheld=True,
    ),
}


async def explained(service: Service, number: str, case: Case, caller: str, at: str) -> Any:
    """What `callengine explain` says of such a call at that instant."""
    outcomes = [word for outcome in case.rings for word in ("--outcome", outcome)]
    asked = ["--at", at, "--from", "withheld" if case.withheld else caller, *outcomes, "--format", "json"]
    return json.loads(await callengine(service.house, "explain", str(service.house.routing), number, *asked))


def steps(path: Sequence[Json]) -> list[tuple[str, str, str]]:
    """Turns with their reasons and steps with their outcomes, in order."""
    told = [entry for entry in path if entry["kind"] in ("turn", "step")]
    return [(entry["kind"], entry["step"], entry.get("why") or entry["outcome"]) for entry in told]


async def compare(service: Service, number: str, case: Case) -> None:
    caller = canary()
    who = WITHHELD["real From and private"](caller) if case.withheld else Identity(caller)
    phone = await service.call(number, who)
    ending = await phone.wait_ended()
    record = await service.record(number)
    lived = service.journal(number)
    told = await explained(service, number, case, caller, lived[0]["at"])
    assert steps(told["path"]) == steps(lived)
    assert steps(lived)
    assert (told["result"], told["sip"]) == (record.outcome, 200 if phone.answered else ending.code)
    assert (told["caller"], told["withheld"]) == (record.caller, record.withheld)


async def test_explain_prints_the_path_that_the_live_call_took(service: Service) -> None:
    numbers = {f"+3280099{index:04d}": case for index, case in enumerate(CASES.values())}
    service.house.write({number: written(service, case) for number, case in numbers.items()})
    async with asyncio.TaskGroup() as comparing:
        for number, case in numbers.items():
            comparing.create_task(compare(service, number, case))


def written(service: Service, case: Case) -> dict[str, Any]:
    to = [service.destination(behaviour) for behaviour in case.rings.values()]
    return {"timezone": case.zone, "route": case.route(*to), **case.settings}
