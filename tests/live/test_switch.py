"""`switch` on real calls: on from the next call, also under the next engine, and off again."""

from datetime import UTC, datetime, timedelta

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


async def test_it_is_on_from_the_next_call_also_under_the_next_engine_and_off_again(
    service: Service, engine: Fragile
) -> None:
    to = service.destination(Answers())
    route: Route = [{"switch": {"closed": [{"announce": "closed"}, {"hangup": "busy"}]}}, {"ring": to}]
    (number,) = service.house.agree(route)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    switch(service, number, "closed", "--until", later, "--reason", "a test")
    caller = await service.call(number)
    await caller.hears(PROMPTS["closed"])
    await caller.wait_ended()
    await engine.end()
    await engine.start()
    caller = await service.call(number)
    await caller.hears(PROMPTS["closed"])
    await caller.wait_ended()
    switch(service, number, "closed", "--off")
    caller = await service.call(number)
    await hear_each_other(caller, await service.network.picked_up(to))
    await caller.hang_up()
    records = await service.records(number, 3)
    assert [(record.outcome, record.switches) for record in records] == [
        ("busy", ("closed",)),
        ("busy", ("closed",)),
        ("answered", ()),
    ]
