"""Routes that ring in vain are refused; a version that was accepted before that rule still serves."""

from pathlib import Path

import pytest

from config import number_files
from config.errors import ConfigErrors
from config.ringing import objections
from engine.routing_store import RoutingStore
from tests.unit.folders import NUMBER
from tests.unit.routes import Raw, service_number
from tests.unit.test_routing_store import again, folder, one_process, spoil, store, versions

__all__ = ["folder", "one_process", "store", "versions"]  # fixtures

A, B = "+3221112233", "+3221112234"
TOO_LONG = "ring: +3221112233\n  - wait: 120\n  - wait: 120\n  - wait: 120\n"


def ring(seconds: int, *to: str, **settings: object) -> Raw:
    return {"ring": {"to": list(to) or A, "seconds": str(seconds), **settings}}


@pytest.mark.parametrize(
    ("route", "seconds"),
    [
        ([ring(100), ring(100), ring(100)], None),
        ([ring(100), ring(100), ring(101)], 301),
        ([ring(120, A, B, strategy="percent"), ring(120), ring(60)], None),
        ([ring(100, A, B, strategy="in_order"), ring(101)], 301),
        ([ring(100, A, B), ring(100), {"wait": "101"}], 301),
        ([ring(120, busy=[ring(120), ring(60)]), ring(120), ring(60)], None),
        ([ring(120, busy=[ring(120), ring(61)]), ring(120), ring(60)], 301),
        ([{"use": {"name": "a", "route": [ring(120), ring(120)]}}, ring(61)], 301),
    ],
)
def test_ringing_counts_over_all_steps_that_one_call_may_come_to(
    route: list[Raw], seconds: int | None
) -> None:
    if any(step.get("ring", {}).get("strategy") == "percent" for step in route):
        route[0]["ring"]["to"] = [{"number": number, "percent": "50"} for number in (A, B)]
    said = [what for _, what in objections(service_number(route).route)]
    expected = [] if seconds is None else [f"callers may hear ringing for {seconds} seconds until here"]
    assert [what.partition(";")[0] for what in said] == expected


async def test_a_version_of_before_a_rule_serves_where_the_folder_has_errors_at_start(
    store: RoutingStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = folder / "numbers" / "main.yaml"
    number.write_text(NUMBER.replace("ring: +3221112233\n", TOO_LONG))
    with monkeypatch.context() as before:
        before.setattr(number_files, "objections", lambda _: ())
        await store.open()
    after = again(store)
    spoil(folder)
    await after.open()
    assert after.in_force.digest == store.in_force.digest
    number.write_text(NUMBER.replace("ring: +3221112233\n", TOO_LONG) + "label: Second\n")
    with pytest.raises(ConfigErrors, match="callers may hear ringing for 385 seconds"):
        await after._put_folder_into_force(folder)
