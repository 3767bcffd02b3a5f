"""What goes over the wire beside plain parameters; those are held against Asterisk itself."""

from typing import Any

import pytest

from engine.ari.http import Value
from engine.ari.operations import Applications, Asterisk, Channels, Reported


class CannedWire:
    """Answers everything with `reply` and remembers the last JSON it was given."""

    def __init__(self, reply: Any = None) -> None:
        self.reply = reply
        self.json: Any = None

    async def send(self, verb: str, path: str, /, *, json: Any = None, **params: Value) -> Any:
        self.json = json
        return self.reply


async def test_variables_go_as_they_are_or_are_reported_from_then_on() -> None:
    wire = CannedWire()
    await Channels(wire).set_channel_vars(
        "c", {"ENGINE_STATE": Reported("talking"), "TIMEOUT(absolute)": "30"}
    )
    assert wire.json == {
        "variables": {
            "ENGINE_STATE": {"value": "talking", "report_events": True},
            "TIMEOUT(absolute)": "30",
        }
    }


async def test_events_of_no_use_are_named_one_by_one() -> None:
    wire = CannedWire()
    await Applications(wire).filter("engine", ["ChannelVarset", "ChannelDialplan"])
    assert wire.json["disallowed"] == [{"type": "ChannelVarset"}, {"type": "ChannelDialplan"}]


async def test_a_filter_leaves_nothing_of_an_earlier_engine_s() -> None:
    wire = CannedWire()
    await Applications(wire).filter("engine", [])
    assert wire.json == {"allowed": [], "disallowed": []}


async def test_a_ghost_is_a_channel_without_a_face() -> None:
    assert await Channels(CannedWire(None)).get("c") is None


@pytest.mark.parametrize(("status", "running"), [("Running", True), ("Not Running", False)])
async def test_a_module_runs_or_not(status: str, running: bool) -> None:
    (module,) = await Asterisk(CannedWire([{"name": "res_ari.so", "status": status}])).list_modules()
    assert module.running is running
