"""`callengine dev`: every embedded part, started, watched, stopped. Its own processes, its own ports."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO
from urllib.request import urlopen

import asyncpg
import pytest

from devkit.carrier import carrier
from devkit.children import alive, wait_dead
from devkit.demo_routing import CLOSED, OFFICE, OPEN, OWNER_MAIL, TELEPHONES, write_routing
from devkit.handset import PRESENT, Handset
from devkit.mailbox import Mailbox, identity_of, taking_mail
from devkit.phones import phones, shown
from devkit.ports import reserve_ports
from tests.lateness import PATIENCE, late
from tests.live.visiting import Visit
from tests.tiers import heavy

CALLER = "+3225551234"
PARTS = {"engine", "worker", "asterisk", "postgres", "mailbox", "portal"}


@dataclass
class Dev:
    """A running `callengine dev`."""

    process: "subprocess.Popen[str]"
    state: Path

    def endpoints(self) -> dict[str, Any]:
        where: dict[str, Any] = json.loads((self.state / "endpoints.json").read_text())
        return where

    def pids(self) -> dict[str, int]:
        pids: dict[str, int] = self.endpoints()["pids"]
        return pids


def dev_command(routing: Path, state: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "-P",
        "-m",
        "cli",
        "dev",
        "--routing",
        str(routing),
        "--state",
        str(state),
        *more,
    ]


@contextmanager
def running_dev(routing: Path, state: Path, *more: str) -> Iterator[Dev]:
    # What a killed run cannot take away lies here: its SIP stack's folder.
    # Not a pipe for what it says: nobody reads it while the run lasts, and a full one would stop it.
    with TemporaryDirectory(prefix="dev-") as scratch, (Path(scratch) / "said").open("w+") as said:
        process = subprocess.Popen(
            dev_command(routing, state, *more), stderr=said, text=True, env={**os.environ, "TMPDIR": scratch}
        )
        yield from _until_stopped(process, state, said)


def _until_stopped(process: "subprocess.Popen[str]", state: Path, said: TextIO) -> Iterator[Dev]:
    try:
        eventually(lambda: (state / "endpoints.json").exists() or process.poll() is not None, 3 * PATIENCE)
        assert process.poll() is None, Path(said.name).read_text()
        yield Dev(process, state)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def eventually(true: Callable[[], object], seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(scope="module")
def routing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dev") / "routing"
    write_routing(folder, datetime.now(UTC).date())
    return folder


@pytest.fixture(scope="module")
def dev(routing: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with running_dev(routing, tmp_path_factory.mktemp("state")) as it:
        yield it


async def records(database: str, count: int, seconds: float = PATIENCE) -> list[asyncpg.Record]:
    """The call records, once there are `count` of them."""
    connection = await asyncpg.connect(database)
    try:
        deadline = time.monotonic() + seconds
        while len(rows := await connection.fetch("SELECT * FROM call ORDER BY began")) < count:
            assert time.monotonic() < deadline, f"{len(rows)} records after {seconds} s, not {count}"
            await asyncio.sleep(0.05)
        return rows
    finally:
        await connection.close()


@asynccontextmanager
async def a_conversation(dev: Dev, carrier_port: int) -> AsyncIterator[Handset]:
    """A call to the open number, answered, both ends hearing each other; the caller's end of it."""
    async with phones() as telephones, carrier(telephones, TELEPHONES, port=carrier_port) as network:
        caller = await telephones.dial(OPEN, dev.endpoints()["sip"], shown(CALLER), says=(1000,))
        destination = await network.picked_up(OFFICE)
        for end, hz in ((caller, 600), (destination, 1000)):  # a frame that comes late is a gap: not this one
            assert await end.hears(hz, least=0.25) == pytest.approx(0.3, abs=0.05)
        yield caller
        await caller.hang_up()
        await destination.wait_ended()


def test_the_endpoints_lead_to_living_things(dev: Dev) -> None:
    where = dev.endpoints()
    assert asyncio.run(records(where["database"], 0)) == []
    with urlopen(where["metrics"], timeout=PATIENCE) as reply:  # noqa: S310 - our own http address
        assert b"calls_total" in reply.read()
    with urlopen(f"{where['mailbox']}/messages", timeout=5) as reply:  # noqa: S310 - our own http address
        assert json.load(reply) == []
    assert Path(where["objects"]).is_dir()
    assert where["sip"].startswith("127.0.0.1:")
    assert set(where["pids"]) == PARTS
    assert all(alive(pid) for pid in where["pids"].values())


def test_the_endpoints_are_for_our_eyes_only(dev: Dev) -> None:
    assert stat.S_IMODE((dev.state / "endpoints.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((dev.state / "callengine.toml").stat().st_mode) == 0o600


def test_a_second_dev_on_the_same_state_is_refused(dev: Dev, routing: Path) -> None:
    second = subprocess.run(
        dev_command(routing, dev.state), capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert second.returncode == 1
    assert f"another callengine dev is using {dev.state}" in second.stderr
    assert dev.endpoints()["pids"]


async def test_an_owner_logs_in_by_mail_and_sees_the_call_that_just_came(dev: Dev) -> None:
    async with phones() as telephones:
        caller = await telephones.dial(CLOSED, dev.endpoints()["sip"], shown(CALLER))
        await caller.wait_ended()
    visit = await asyncio.to_thread(Visit, dev.endpoints(), OWNER_MAIL)
    assert "Demo Ltd" in visit.first
    (place,) = (await asyncio.to_thread(visit.has, "/calls", 'href="(/calls/[0-9a-f-]{36})"')).groups()
    call = await asyncio.to_thread(visit.read, place)
    assert "Opening hours</strong> closed at" in call
    assert "+32 2 555 12 34" in call


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_killed_part_comes_back_where_it_was(dev: Dev, part: str) -> None:
    before = dev.endpoints()
    os.kill(before["pids"][part], signal.SIGKILL)
    assert eventually(lambda: dev.pids()[part] != before["pids"][part])
    after = dev.endpoints()
    assert alive(after["pids"][part])
    assert {key: after[key] for key in after if key != "pids"} == {
        key: before[key] for key in before if key != "pids"
    }


@heavy
async def test_mail_goes_where_it_is_told_to(routing: Path, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    theirs = Mailbox(folder)
    async with (
        phones() as telephones,
        carrier(telephones) as network,
        taking_mail(theirs, "127.0.0.1", 0, identity_of(folder)) as smtp,
    ):
        with running_dev(routing, tmp_path / "state", "--carrier", network.address, "--smtp", smtp) as it:
            assert it.endpoints()["mailbox"] is None
            caller = await telephones.dial(CLOSED, it.endpoints()["sip"], shown(CALLER))
            await caller.wait_ended()
            deadline = time.monotonic() + PATIENCE
            while not theirs.mails:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
    (mail,) = theirs.mails
    assert mail.recipients == ("office@demo.example",)
    assert mail.tls == "TLSv1.3"  # though nobody vouches for this server
    assert mail.subject.startswith("Missed call to 0800 12 304")


def test_a_wrong_routing_folder_starts_nothing_and_says_what_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "routing"
    write_routing(folder, datetime.now(UTC).date())
    wrong = folder / "numbers" / "wrong.yaml"
    wrong.write_text(
        "number: +3280012399\nowner: nobody\ntimezone: Europe/Brussels\nroute:\n  - rings: +32470111221\n"
    )
    tried = subprocess.run(
        dev_command(folder, tmp_path / "state"),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert tried.returncode == 1
    assert f"{wrong}:5:" in tried.stderr
    assert not (tmp_path / "state").exists()


async def test_sigterm_stops_all_of_it_in_under_ten_seconds_and_nothing_outlives_a_kill(
    routing: Path, tmp_path: Path
) -> None:
    """The records of the one are there in the next."""
    with reserve_ports(1) as (port,):
        with running_dev(routing, tmp_path / "state", "--carrier", f"127.0.0.1:{port}") as it:
            async with a_conversation(it, port):
                pass
            before = await records(it.endpoints()["database"], 1)
            pids, began = it.pids(), time.monotonic()
            it.process.terminate()
            await asyncio.to_thread(it.process.communicate, timeout=PATIENCE)
            assert time.monotonic() - began < 10 + 20 * late().total_seconds()
            assert it.process.returncode == 0
            assert not [name for name, pid in pids.items() if alive(pid)]
            assert not (it.state / "endpoints.json").exists()
        with running_dev(routing, tmp_path / "state", "--carrier", f"127.0.0.1:{port}") as it:
            assert await records(it.endpoints()["database"], 1) == before
            pids = it.pids()
            it.process.kill()
            assert wait_dead(list(pids.values()), PATIENCE) == []


@heavy
async def test_a_conversation_goes_on_while_the_engine_is_killed(routing: Path, tmp_path: Path) -> None:
    with (
        reserve_ports(1) as (port,),
        running_dev(routing, tmp_path / "state", "--carrier", f"127.0.0.1:{port}") as it,
    ):
        async with a_conversation(it, port) as caller:
            engine = it.pids()["engine"]
            os.kill(engine, signal.SIGKILL)
            while it.pids()["engine"] == engine:
                assert caller.level(600, last=0.2) > PRESENT
                await asyncio.sleep(0.1)
        (record,) = await records(it.endpoints()["database"], 1)
        assert (record["outcome"], record["ended_by"], record["delivered_to"]) == (
            "answered",
            "caller",
            OFFICE,
        )
