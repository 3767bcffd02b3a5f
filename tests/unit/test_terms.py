"""The terms of a call: those in force when it comes in, and the same ones when it is taken over."""

from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from config.load import load
from config.policy import Policy
from dialplan.routing import Routing
from engine.call_services import CallMetrics, NodeCallServices
from engine.metrics import EngineMetrics
from engine.node_memory import NodeMemory
from engine.routing_store import RoutingStore
from journal.writer import Journal
from tests.unit.folders import NUMBER, good_folder

DIALLED = "+3270012345"


class Store:
    """A routing store with two versions, of which the second is in force: there the number is another one."""

    def __init__(self, folder: Path) -> None:
        self.first = load(good_folder(folder), Policy())
        (folder / "numbers" / "main.yaml").write_text(NUMBER.replace(DIALLED, "+3270099999"))
        self.in_force = load(folder, Policy())

    async def version(self, digest: str) -> Routing | None:
        return {routing.digest: routing for routing in (self.first, self.in_force)}.get(digest)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "routing")


@pytest.fixture
def services(store: Store) -> NodeCallServices:
    call_metrics = CallMetrics(EngineMetrics(), {})
    stores, journal = cast(RoutingStore, store), cast(Journal, None)
    return NodeCallServices(
        "node",
        stores,
        journal,
        call_metrics=call_metrics,
        longest=timedelta(hours=4),
        recordings=Path("/"),
        memory=NodeMemory.of(Path("/nowhere"), {}, 3),
    )


def test_a_call_that_comes_in_has_the_terms_in_force_and_names_their_version(
    services: NodeCallServices, store: Store
) -> None:
    terms = services.terms("+3270099999")
    assert terms is not None
    assert terms.routing == store.in_force.digest
    assert services.terms(DIALLED) is None


async def test_a_call_that_is_taken_over_keeps_its_terms_when_its_number_is_removed(
    services: NodeCallServices, store: Store
) -> None:
    with capture_logs() as logs:
        terms = await services.terms_under(DIALLED, store.first.digest)
    assert terms is not None
    assert (terms.number.number, terms.routing) == (DIALLED, store.first.digest)
    welcome = terms.prompt("welcome")
    assert welcome is not None
    assert welcome.name == "welcome"
    assert logs == []


async def test_where_the_version_is_missing_the_terms_in_force_are_taken_and_it_is_logged(
    services: NodeCallServices, store: Store
) -> None:
    with capture_logs() as logs:
        terms = await services.terms_under("+3270099999", "0" * 64)
    assert terms is not None
    assert terms.routing == store.in_force.digest
    assert [(entry["event"], entry["digest"]) for entry in logs] == [("routing_version_missing", "0" * 64)]


async def test_a_call_of_an_engine_that_named_no_version_has_the_terms_in_force(
    services: NodeCallServices,
) -> None:
    with capture_logs() as logs:
        assert await services.terms_under("+3270099999", "") is not None
        assert await services.terms_under(DIALLED, "") is None
    assert logs == []
