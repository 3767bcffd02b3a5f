"""The engine's control socket: what is live, hang up, drain, on real calls."""

import asyncio
import json
import stat
from typing import Any

from click.testing import CliRunner, Result

from cli.__main__ import main
from devkit.carrier import Answers, Rings
from devkit.phones import WITHHELD
from tests.live.agreed import new_caller
from tests.live.conversation import hear_each_other
from tests.live.service import Service, until
from tests.live.test_served_alone import with_fallback


async def run(service: Service, *arguments: str) -> Result:
    state = ("--state", str(service.house.state))
    return await asyncio.to_thread(CliRunner().invoke, main, [*arguments, *state])


async def live(service: Service, number: str) -> list[dict[str, Any]]:
    done = await run(service, "live", "--format", "json", "--number", number)
    assert done.exit_code == 0, done.output
    calls: list[dict[str, Any]] = json.loads(done.output)
    return calls


async def test_a_live_call_is_listed_and_hung_up_and_a_withheld_caller_is_not_shown(service: Service) -> None:
    number, to = service.ringing(Answers())
    caller = await service.call(number, WITHHELD["user;ID"](new_caller()))
    await hear_each_other(caller, await service.network.picked_up(to))
    (call,) = await live(service, number)
    assert (call["caller"], call["doing"], call["answered"]) == ("withheld", f"talks with {to}", True)
    top = await run(service, "top", "--once", "--format", "json")
    assert number in [row["number"] for row in json.loads(top.output)["numbers"]]
    done = await run(service, "hangup", call["call_id"])
    assert done.output == f"hung up {call['call_id']}\n"
    await caller.wait_ended()
    record = await service.record(number)
    assert (record.outcome, record.ended_by, record.cause) == ("answered", "engine", 31)
    assert (await run(service, "hangup", call["call_id"])).exit_code == 1


async def test_a_drained_engine_sends_new_calls_to_their_fallback_and_live_ones_go_on(
    service: Service,
) -> None:
    fallback = service.destination(Answers())
    number = await with_fallback(service, fallback)
    (before, to) = service.ringing(Rings())
    ringing = await service.call(before)
    await ringing.wait_ringing()
    drained = await run(service, "drain")
    assert drained.output.startswith("new calls go to their fallback"), drained.output
    try:
        caller = await service.call(number)
        await hear_each_other(caller, await service.network.picked_up(fallback))
        assert [call["doing"] for call in await live(service, number)] == [f"talks with {fallback}"]
        assert [call["doing"] for call in await live(service, before)] == [f"rings {to}"]
    finally:
        ended = await run(service, "drain", "--off")
    assert ended.output.startswith("new calls get their route again")
    for telephone in (ringing, caller):
        await telephone.hang_up()
        await telephone.wait_ended()
    record = await service.record(number)
    assert (record.outcome, record.delivered_to, record.withheld) == ("answered", fallback, False)
    assert record.caller != ""
    assert (await service.record(before)).outcome == "abandoned"
    again, to = service.ringing(Answers())
    caller = await service.call(again)
    await hear_each_other(caller, await service.network.picked_up(to))
    await caller.hang_up()
    await caller.wait_ended()
    await service.record(again)


async def test_only_the_user_of_the_engine_can_open_the_socket(service: Service) -> None:
    socket = service.house.state / "control.sock"
    await until(socket.exists)
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
