"""Random calls on the fake line: `explain` and `explain --call` print the path that the live call took."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import looptime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.caller import UNKNOWN, WITHHELD, Caller, Presentation
from dialplan.caller_list import CallerList
from dialplan.number import ServiceNumber
from dialplan.rehearse import Rehearsal, rehearse
from dialplan.result import Answer, Outcome
from dialplan.step import ROOM, SORTED, Facts, StepModel, Turn, visit
from journal.entries import StepPerformed, Turned
from journal.state import CallState
from storage.records import call_record
from storage.retracing import PastStep, retrace
from tests.unit import fake_dial
from tests.unit.fake_dial import Answers, Says
from tests.unit.fake_services import FakeCallServices
from tests.unit.fakes import FakeLine
from tests.unit.routes import Raw, routes
from tests.unit.stories import called, terms_of

LISTS = {"nuisance": CallerList.of([3225551234])}
CALLERS = [
    UNKNOWN,
    WITHHELD,
    Caller(Presentation.SHOWN, "+3225551234"),
    Caller(Presentation.SHOWN, "+31612345678"),
]
BEHAVIOUR = [
    Answers(),
    Answers(after=100),  # longer than anything rings
    *(Says(outcome) for outcome in (Outcome.BUSY, Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.CONGESTED)),
]
DRAWN = ("call", SORTED, ROOM)  # what only the engine knows, and explains by the turn that follows
type Node = tuple[str, str, str]

moments = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
keys = st.lists(st.tuples(st.floats(0, 60), st.sampled_from(["1", "2", "0", "12", "*", "9#"])), max_size=8)
switched = st.lists(st.sampled_from(["closed", "strike"]), unique=True, max_size=1)


@dataclass(frozen=True)
class Case:
    """`does`: what destinations do; `pressed`: keys, each after so many seconds; `on`: the switches."""

    route: list[Raw]
    moment: datetime
    caller: Caller
    does: list[Answers | Says]
    pressed: list[tuple[float, str]]
    on: list[str]


cases = st.builds(
    Case,
    routes,
    moments,
    st.sampled_from(CALLERS),
    st.lists(st.sampled_from(BEHAVIOUR), min_size=1),
    keys,
    switched,
)


def live(case: Case) -> tuple[FakeCallServices, CallState, ServiceNumber, Facts]:
    """A call on the fake line: its journal, its state, its number and facts."""
    terms = replace(terms_of(case.route, holidays=["BE"]), lists=LISTS)
    terms = replace(terms, switches=tuple(name for name in case.on if name in terms.number.switches))
    numbers = [to.number for _, step in visit(terms.number.route) for to in step.destinations]
    where = {number: case.does[sum(number.encode()) % len(case.does)] for number in numbers}

    async def call() -> tuple[FakeCallServices, CallState, Facts]:
        line = FakeLine(where, caller=case.caller, presses=sorted(case.pressed))
        services, state = await called(line, terms)
        return services, state, terms.facts(line, state)

    loop = looptime.new_event_loop()
    try:
        services, state, facts = loop.run_until_complete(call())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    return services, state, terms.number, facts


def lived(services: FakeCallServices) -> list[Node]:
    """Turns with their reasons, and steps with their places and answers, as the journal has them."""
    found: list[Node] = []
    for entry in services.entries:
        if isinstance(entry, Turned):
            found.append(("turn", entry.step, entry.why))
        elif isinstance(entry, StepPerformed) and entry.choice.partition(" ")[0] not in DRAWN:
            found.append((entry.step, str(entry.path), entry.choice or entry.outcome))
    return found


def printed(path: Sequence[Turn | PastStep | tuple[StepModel, Answer]]) -> list[Node]:
    found: list[Node] = []
    for node in path:
        if isinstance(node, Turn):
            found.append(("turn", node.step, node.why))
            continue
        step, answer = (node.step, node.outcome) if isinstance(node, PastStep) else node
        found.append((step.step, str(step.path), str(answer)))
    return found


def explained(number: ServiceNumber, facts: Facts, services: FakeCallServices) -> Rehearsal:
    """What `explain` prints, told the outcomes of the rings and the keys."""
    performed = services.of(StepPerformed)
    outcomes = [entry.outcome for entry in performed if entry.step == "ring" and not entry.choice]
    presses = [entry.choice for entry in performed if entry.step == "menu"]
    return rehearse(number, facts, outcomes, presses=presses)


@settings(deadline=None)
@given(cases)
def test_explain_prints_the_path_of_the_live_call(case: Case) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fake_dial, "START", case.moment)
        services, state, number, facts = live(case)
    path, on_paper = lived(services), explained(number, facts, services)
    before = printed(on_paper.path)
    assert before[: len(path)] == path
    assert len(before) - len(path) in (0, 1), "a call ends in its last step, or has gone its way"
    record = call_record(state)
    assert record is not None
    assert printed(retrace(record, number, LISTS).path)[: len(path)] == path
    if not any(step.step == "menu" for step, _ in on_paper.steps):  # which may be heard again
        performed = [(step.path, step.destinations) for step, _ in on_paper.steps]
        assert len(performed) == len(set(performed)), "no step is performed twice"
