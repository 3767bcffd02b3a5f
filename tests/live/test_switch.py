"""`switch` on real calls: on from the next call, also under the next engine, and off again."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from cli.commands.switch import command
from devkit.carrier import Answers
from tests.live.agreed import PROMPTS, Route
from tests.live.conversation import hear_each_other
from tests.live.fragile import Fragile
from tests.live.service import Service
from tests.live.sip import eventually


def switch(service: Service, *arguments: str) -> None:
    before = service.house.told("switch_changed")
    reply = CliRunner().invoke(command, [*arguments, "--state", str(service.house.state)])
    assert reply.exit_code == 0, reply.output
    assert reply.stderr == ""
    if service.house.engine.process is not None and service.house.engine.process.poll() is None:
        assert eventually(lambda: service.house.told("switch_changed") > before)


def agreed(service: Service, to: str) -> str:
    """A number with a switch, which is on for an hour, and the destination that it rings otherwise."""
    route: Route = [{"switch": {"closed": [{"announce": "closed"}, {"hangup": "busy"}]}}, {"ring": to}]
    (number,) = service.house.agree(route)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    switch(service, number, "closed", "--until", later, "--reason", "a test")
    return number


async def is_closed(service: Service, number: str) -> None:
    caller = await service.call(number)
    await caller.hears(PROMPTS["closed"])
    await caller.wait_ended()


async def test_it_is_on_from_the_next_call_and_off_again(service: Service) -> None:
    to = service.destination(Answers())
    number = agreed(service, to)
    await is_closed(service, number)
    switch(service, number, "closed", "--off")
    caller = await service.call(number)
    await hear_each_other(caller, await service.network.picked_up(to))
    await caller.hang_up()
    records = await service.records(number, 2)
    assert [(record.outcome, record.switches) for record in records] == [
        ("busy", ("closed",)),
        ("answered", ()),
    ]


@pytest.mark.heavy
async def test_the_next_engine_has_it_on_too(service: Service, engine: Fragile) -> None:
    number = agreed(service, service.destination(Answers()))
    await engine.end()
    await engine.start()
    await is_closed(service, number)
    assert (await service.record(number)).switches == ("closed",)
