"""1,100 idle connections to each port of a worker: it goes on, with descriptors to spare."""

import json
import re
import resource
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout
from pydantic import SecretStr

from config.settings import Settings
from mailer.mail_settings import return_addresses_of
from mailer.return_address import ReturnAddresses
from tests.store.hostile import begun
from tests.store.own_worker import keeping
from tests.store.posting import message_id
from tests.store.worker_process import until
from tests.unit.test_bounce import report

IDLE = 1100
SOFT_LIMIT = 1024  # of descriptors: what a service has that asks for no more


@dataclass
class Worker:
    """A worker's two ports, and what it signs return addresses with."""

    reports: int
    health: int
    addresses: ReturnAddresses

    async def descriptors(self) -> int:
        """By its own count: no other process of its user may look at them (process/no_core.py)."""
        _, metrics = await answer_of(f"http://127.0.0.1:{self.health}/metrics")
        (count,) = re.findall(r"^process_open_fds ([0-9.]+)$", metrics, re.MULTILINE)
        return int(float(count))


@pytest.fixture
async def worker(database: str, tmp_path: Path) -> AsyncIterator[Worker]:
    async with keeping(database, tmp_path, None, "") as kept:
        kept.told = {
            **kept.told,
            "CALLENGINE_MAIL__SENDER": "voicemail@provider.example",
            "CALLENGINE_MAIL__BOUNCES_PORT": "0",
        }
        key = SecretStr(kept.told["CALLENGINE_MASTER_KEY"])
        addresses = return_addresses_of(Settings.model_construct(node="here", master_key=key))
        with descriptors_limited(SOFT_LIMIT) as unlimited, kept.working():
            unlimited()
            log = tmp_path / "log"
            await until(lambda: listens(log), "the worker listens at both ports")
            reports, health = ports(log)
            yield Worker(reports, health, addresses)


@contextmanager
def descriptors_limited(soft: int) -> Iterator[Callable[[], None]]:
    """Processes that are begun have this limit; calling the value, or the end of the block, lifts ours."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))

    def lift() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    try:
        yield lift
    finally:
        lift()


async def listens(log: Path) -> bool:
    return len(ports(log)) == 2


def ports(log: Path) -> list[int]:
    """Those for reports and for health, once the worker has logged both."""
    events = {
        line["event"]: line for line in map(json.loads, log.read_text().rpartition("\n")[0].splitlines())
    }
    if not {"report_listener_started", "worker_started"} <= set(events):
        return []
    url = str(events["worker_started"]["health"])
    return [events["report_listener_started"]["port"], int(url.rpartition(":")[2])]


@contextmanager
def idle(port: int, how_many: int) -> Iterator[None]:
    """So many clients, of many addresses, that have connected and say nothing."""
    clients = []
    try:
        for n in range(how_many):
            client = socket.create_connection(
                ("127.0.0.1", port), timeout=30, source_address=(f"127.0.{n // 10 % 200 + 1}.{n % 10 + 1}", 0)
            )
            clients.append(client)
        yield
    finally:
        for client in clients:
            client.close()


async def answer_of(url: str) -> tuple[int, str]:
    async with ClientSession(timeout=ClientTimeout(30)) as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_a_worker_goes_on_under_1100_idle_connections_to_each_port(worker: Worker) -> None:
    with idle(worker.reports, IDLE), idle(worker.health, IDLE):
        status, _ = await answer_of(f"http://127.0.0.1:{worker.health}/live")
        assert status == 200
        to = worker.addresses.make(message_id(1), "office@acme.example", "provider.example")
        client = await begun(worker.reports, to)
        assert (await client.data(report("failed"))).code == 250, "an honest report is heard"
        client.close()
        assert await worker.descriptors() < 250
