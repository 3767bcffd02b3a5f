"""Several carriers: where the first fails, the next one takes the call, with an engine and without."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from config.trunks import load_trunks
from devkit.asterisk import Options, start_asterisk
from devkit.carrier import Answers, Refuses
from devkit.phones import LOOPBACK
from engine import fallback
from engine.trunk_sections import render
from engine.trunk_terms import variables_of
from storage.records import CallRecord
from tests.live.ari import ask
from tests.live.conversation import hear_each_other
from tests.live.service import House, Service, at_your_service, open_house, until
from tests.live.sip import Agent, Call
from tests.live.strangers import ask_as
from tests.live.test_control import run
from tests.live.test_served_alone import with_fallback

BETA_CALLS_FROM = "127.0.0.8"


class FailingCarrier:
    """Refuses every call with this status; answers OPTIONS, unless it is told to be silent."""

    def __init__(self, agent: Agent) -> None:
        self.status, self.is_silent, self.calls = 503, False, 0
        self.address = agent.address
        self._agent = agent
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            if self._agent.listen(0.1):
                message = self._agent.heard.pop()
                if message.method == "INVITE":
                    self.calls += 1
                if message.method in ("INVITE", "OPTIONS") and not self.is_silent:
                    code = self.status if message.method == "INVITE" else 200
                    self._agent.send(
                        message.reply(code, tag="first"), message.one("via").split()[1].split(";")[0]
                    )

    def end(self) -> None:
        self._ended.set()


@contextmanager
def failing_carrier(agent: Agent) -> Iterator[FailingCarrier]:
    carrier = FailingCarrier(agent)
    thread = threading.Thread(target=carrier.run)
    thread.start()
    yield carrier
    carrier.end()
    thread.join()


@pytest.fixture(scope="module")
def first() -> Iterator[FailingCarrier]:
    with Agent() as agent, failing_carrier(agent) as carrier:
        yield carrier


@pytest.fixture(scope="module")
def two_carriers(first: FailingCarrier, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The first trunk leads to a carrier that fails, the second one to the telephones."""
    folder = tmp_path_factory.mktemp("trunks")

    def prepare(port: int) -> str:
        (folder / "trunks").mkdir()
        (folder / "trunks/beta.yaml").write_text(
            f"host: {LOOPBACK}:{port}\naddresses: [{BETA_CALLS_FROM}]\nqualify_seconds: 0\n"
        )
        (folder / "trunks/dead.yaml").write_text(f"host: {LOOPBACK}:9\norder: 3\nqualify_seconds: 1\n")
        return first.address

    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("CALLENGINE_ASTERISK__TRUNKS", str(folder / "trunks"))
        with open_house(folder, prepare) as house:
            yield house


@pytest.fixture
async def service(two_carriers: House) -> AsyncIterator[Service]:
    async with at_your_service(two_carriers) as service:
        service.forgiven.add("trunk_down")
        yield service


def legs(record: CallRecord) -> list[tuple[str, str, int | None]]:
    return [(leg.trunk, leg.outcome, leg.cause) for leg in record.legs]


def test_asterisk_alone_tries_the_next_carrier_by_the_cause(tmp_path: Path) -> None:
    """Without an engine: a fault of the carrier leads on, an answer about the destination does not."""
    (tmp_path / "trunks").mkdir()
    with ExitStack() as held:
        agents = [held.enter_context(Agent()) for _ in range(3)]
        first, second = [held.enter_context(failing_carrier(agent)) for agent in agents[:2]]
        second.status = 486
        (tmp_path / "trunks/beta.yaml").write_text(f"host: {second.address}\nqualify_seconds: 0\n")
        asterisk = held.enter_context(start_asterisk(tmp_path, Options(first.address)))
        asterisk.wait_until_ready()
        trunks = load_trunks(tmp_path / "trunks")
        (asterisk.endpoint.etc / "trunks.conf").write_text(render(trunks, {}, ""))
        table = fallback.render({"3270012345": "+3221112233"}, "", variables_of(trunks, ""))
        (asterisk.endpoint.etc / "fallback.conf").write_text(table)
        for module in ("res_pjsip.so", "pbx_config.so"):
            ask(asterisk.endpoint, f"/asterisk/modules/{module}", "PUT")
        answers = {}
        for first.status in (503, 500, 502, 408, 404, 486, 603):
            second.calls = 0
            Call(agents[2], asterisk.endpoint.sip, "+3270012345").invite().final(8)
            answers[first.status] = second.calls
    assert answers == {503: 1, 500: 1, 502: 1, 408: 1, 404: 0, 486: 0, 603: 0}


async def test_the_second_carrier_takes_a_call_that_the_first_refuses_and_the_record_says_so(
    service: Service, first: FailingCarrier
) -> None:
    number, to = service.ringing(Answers())
    caller = await service.call(number)
    await hear_each_other(caller, await service.network.picked_up(to))
    await caller.hang_up()
    await caller.wait_ended()
    record = await service.record(number)
    assert (record.outcome, record.delivered_to) == ("answered", to)
    assert legs(record) == [("trunk", "congested", 34), ("beta", "taken", 16)]
    assert first.calls == 1


async def test_a_destination_that_is_busy_is_not_tried_again_elsewhere(service: Service) -> None:
    number, to = service.ringing(Refuses(486))
    assert (await (await service.call(number)).wait_ended()).code == 486
    record = await service.record(number)
    assert legs(record) == [("trunk", "congested", 34), ("beta", "busy", 17)]
    assert len([arrival for arrival in service.network.arrivals if arrival.number == to]) == 1


async def test_the_fallback_without_an_engine_fails_over_too(service: Service) -> None:
    fallback = service.destination(Answers())
    number = await with_fallback(service, fallback)
    await run(service, "drain")
    try:
        caller = await service.call(number)
        await hear_each_other(caller, await service.network.picked_up(fallback))
    finally:
        await run(service, "drain", "--off")
    await caller.hang_up()
    await caller.wait_ended()
    assert legs(await service.record(number)) == [("trunk", "congested", 34), ("beta", "taken", 16)]


async def test_a_carrier_that_does_not_answer_is_seen(service: Service) -> None:
    await until(lambda: service.house.metric('trunk_up{trunk="dead"}') == 0)
    assert service.house.metric('trunk_up{trunk="beta"}') == 1
    await until(lambda: service.house.told("trunk_down") >= 1)


async def test_the_second_carriers_own_calls_come_in_and_a_strangers_do_not(service: Service) -> None:
    assert (
        b" 200 " in ask_as(BETA_CALLS_FROM, service.house.run.sip, "OPTIONS", "beta-asks").split(b"\r\n")[0]
    )
    assert b" 401 " in ask_as("127.0.0.9", service.house.run.sip, "OPTIONS", "stranger").split(b"\r\n")[0]


def test_the_file_with_passwords_is_for_asterisk_alone(two_carriers: House) -> None:
    file: Path = two_carriers.endpoint.etc / "trunks.conf"
    assert file.stat().st_mode & 0o777 == 0o640
