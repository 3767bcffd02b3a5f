"""SIPp of Debian's archive as caller and destination: its own scenarios, and ours of what networks may send.

Needs a download of 8 MB the first time (scripts/fetch-sipp.sh).
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bench.sipp import command
from devkit.carrier import Answers
from devkit.phones import LOOPBACK
from devkit.ports import reserve_ports
from tests.live.agreed import new_destination
from tests.live.carriers import Trunking, trunking
from tests.live.service import DESTINATION_HZ, Service, at_your_service
from tests.tiers import heavy

HERE = Path(__file__)
SCENARIOS = HERE.parent / "sipp"
MODES = {"udp": "u1", "tcp": "t1", "tls": "l1"}

pytestmark = heavy


@pytest.fixture(scope="module")
def sipp() -> tuple[str, ...]:
    """The command of SIPp; fetched the first time."""
    subprocess.run([HERE.parents[2] / "scripts/fetch-sipp.sh"], check=True, timeout=110)
    return command()


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunking]:
    with trunking(tmp_path_factory.mktemp("sipp")) as running:
        yield running


@pytest.fixture
async def service(carriers: Trunking) -> AsyncIterator[Service]:
    async with at_your_service(carriers.house) as service:
        yield service


async def start(sipp: tuple[str, ...], folder: Path, name: str, *words: str) -> asyncio.subprocess.Process:
    """SIPp for one call; it fails if that does not go as the scenario says."""
    common = ["-m", "1", "-i", LOOPBACK, "-mi", LOOPBACK, "-nostdin", "-timeout", "30s", "-timeout_error"]
    with (folder / f"{name}.out").open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *sipp, *words, *common, "-trace_err", cwd=folder, stdin=subprocess.DEVNULL, stdout=output
        )


def said(folder: Path) -> str:
    """What SIPp says of a call that failed."""
    return "\n".join(file.read_text(errors="replace")[-2000:] for file in folder.glob("*_errors.log"))


@pytest.mark.parametrize(
    "scenario", ["late_offer", "reliable", "session_timer", "hold"], ids=lambda name: name
)
async def test_a_call_as_networks_may_place_it(
    carriers: Trunking, service: Service, sipp: tuple[str, ...], tmp_path: Path, scenario: str
) -> None:
    """SIPp echoes the sound: the destination hears itself, so it passes both ways, also at the end."""
    to = service.destination(Answers(after=0.5))
    (number,) = carriers.house.agree([{"ring": to}])
    await carriers.have(
        trunk={
            "host": f"{LOOPBACK}:{service.house.carrier_port}",
            "qualify_seconds": 0,
            "domain": scenario.replace("_", "-"),
        }
    )
    with reserve_ports(8) as ports:
        words = ["-sf", str(SCENARIOS / f"{scenario}.xml"), "-s", number, "-p", str(ports[0]), "-rtp_echo"]
        words += ["-min_rtp_port", str(ports[1]), "-max_rtp_port", str(ports[6])]
        caller = await start(sipp, tmp_path, "caller", carriers.sip["udp"], *words)
        destination = await service.network.picked_up(to)
        await destination.hears(DESTINATION_HZ)
        await destination.wait_ended()
        assert await caller.wait() == 0, said(tmp_path)
    assert destination.level(DESTINATION_HZ) > 0.2
    record = await service.record(number)
    assert (record.outcome, record.ended_by) == ("answered", "caller")


async def test_a_session_that_is_too_short_is_refused(
    carriers: Trunking, service: Service, sipp: tuple[str, ...], tmp_path: Path
) -> None:
    (number,) = carriers.house.agree([{"announce": "welcome"}])
    with reserve_ports(4) as ports:
        words = ["-sf", str(SCENARIOS / "short_session.xml"), "-s", number, "-p", str(ports[0])]
        caller = await start(sipp, tmp_path, "caller", carriers.sip["udp"], *words)
        assert await caller.wait() == 0, said(tmp_path)


@pytest.mark.parametrize("transport", MODES)
async def test_sipps_own_scenarios_over_each_transport(
    carriers: Trunking, service: Service, sipp: tuple[str, ...], tmp_path: Path, transport: str
) -> None:
    """`-sn uac` calls, `-sn uas` answers; they exchange no sound."""
    (number,) = carriers.house.agree([{"ring": (to := new_destination())}])
    chain = str(carriers.certificates.chain)
    words = ["-t", MODES[transport], "-tls_cert", chain, "-tls_key", chain]
    with reserve_ports(4) as ports:
        await carriers.have(
            trunk={"host": f"{LOOPBACK}:{ports[1]}", "transport": transport, "qualify_seconds": 0}
        )
        destination = await start(sipp, tmp_path, "destination", "-sn", "uas", "-p", str(ports[1]), *words)
        call = ["-sn", "uac", "-s", number, "-d", "500", "-p", str(ports[0])]
        caller = await start(sipp, tmp_path, "caller", carriers.sip[transport], *call, *words)
        assert await caller.wait() == 0, said(tmp_path)
        assert await destination.wait() == 0, said(tmp_path)
    record = await service.record(number)
    assert (record.outcome, record.delivered_to, record.ended_by) == ("answered", to, "caller")
