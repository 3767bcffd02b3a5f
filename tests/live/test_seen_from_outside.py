"""What an operator sees: metrics, readiness and logs of real calls."""

import asyncio
import signal
from collections import Counter

from devkit.carrier import Answers, Refuses, Rings
from devkit.parts import ended
from devkit.phones import shown
from dialplan.result import Result
from tests.live.health import readiness
from tests.live.service import DESTINATION_HZ, House, Service, until
from tests.live.sinks import all_sinks, canary

CALLS = 30


def counted(house: House) -> Counter[str]:
    """Ended calls by outcome, as the metrics have it."""
    return Counter({it.value: int(house.metric(f'calls_total{{outcome="{it}"}}')) for it in Result})


async def test_the_metrics_count_calls_by_what_became_of_them(service: Service) -> None:
    house = service.house
    answered, busy, rings = house.agree(
        [{"ring": service.destination(Answers(0.1))}],
        [{"ring": service.destination(Refuses(486))}],
        [{"ring": service.destination(Rings())}],
    )
    before, setups = counted(house), house.metric('setup_seconds_count{until="dialled"}')
    talking, refused = await service.call(answered), await service.call(busy)
    giving_up = await service.call(rings)
    await talking.hears(DESTINATION_HZ)
    await giving_up.wait_ringing()
    await refused.wait_ended()
    await until(lambda: house.metric("calls_live") == 2)
    await giving_up.hang_up()
    await talking.hang_up()
    await until(lambda: house.metric("calls_live") == 0)
    assert counted(house) - before == Counter(answered=1, busy=1, abandoned=1)
    assert house.metric('setup_seconds_count{until="dialled"}') == setups + 3
    assert house.metric("ari_connected") == 1


async def test_the_engine_is_not_ready_while_asterisk_is_gone(service: Service) -> None:
    house = service.house
    (number,) = house.agree([{"hangup": "busy"}])
    assert house.asterisk.process is not None
    house.asterisk.process.send_signal(signal.SIGKILL)
    await ended(house.asterisk.process)
    try:
        await until(lambda: readiness(house.engine.health) == 503)
        await until(lambda: house.metric("ari_connected") == 0)
    finally:
        await house.asterisk.start()
    await until(lambda: readiness(house.engine.health) == 200)
    caller = await service.call(number)
    assert (await caller.wait_ended()).code == 486


CEL = "asterisk/log/cel-custom/Master.csv"


async def test_no_log_names_a_caller_or_a_destination(service: Service) -> None:
    number, to = service.ringing(Answers(0.1))
    callers = [canary() for _ in range(CALLS)]
    calls = [await service.call(number, shown(caller)) for caller in callers]
    await asyncio.gather(*(call.wait_answered() for call in calls))
    await asyncio.gather(*(call.hang_up() for call in calls))
    records = await service.records(number, CALLS)
    assert {record.caller for record in records} == set(callers)
    sinks = await all_sinks(service)
    told = {"log/engine.log", "log/worker.log", "asterisk/log/messages"} & set(sinks.held)
    assert len(told) == 3
    assert sinks.holding(number).count("log/engine.log") == 1  # what is looked for in a log is found there
    for name in (*callers, to.removeprefix("+32")):
        logs = [place for place in sinks.holding(name) if "log" in place.split("/")]
        # CEL names who was dialled: records are made of it. It has no caller, and the engine deletes it.
        assert set(logs) <= ({CEL} if name not in callers else set()), name
