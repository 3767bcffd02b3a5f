"""A real Asterisk for the live tests: one for each test process, and no call left in it after any test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from devkit.asterisk import Asterisk, Options, start_asterisk
from tests.lateness import measured_lateness
from tests.live.ari import ask, left_in
from tests.live.conversation import Wire, overheard
from tests.live.crashes import Crashes, watched
from tests.live.fragile import Fragile
from tests.live.service import House, Service, at_your_service, open_house
from tests.live.sip import Agent, eventually
from tests.live.voicemails import VOICEMAILS, Spool


@pytest.fixture(scope="session", autouse=True)
def small_segments() -> Iterator[None]:
    """Journals of 4 MB a segment instead of 64: some tests search all that a service has written."""
    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("CALLENGINE_JOURNAL__SEGMENT_BYTES", str(4 << 20))
        yield


@pytest.fixture(scope="session", autouse=True)
def all_crashes() -> Iterator[Crashes]:
    """Of every Asterisk of this process."""
    with watched() as crashes:
        yield crashes
        crashes.check()


@pytest.fixture(autouse=True)
def no_crash(all_crashes: Crashes) -> Iterator[None]:
    """No Asterisk crashed during this test; also none that it has started again since."""
    yield
    all_crashes.check()


@pytest.fixture(autouse=True)
def lateness() -> Iterator[None]:
    """Of the machine during this test, for `late()`."""
    with measured_lateness():
        yield


@pytest.fixture(scope="session")
def carrier() -> Iterator[Agent]:
    """The far end of the trunk: a bare SIP address that Asterisk dials, told what to answer by each test."""
    with Agent() as agent:
        yield agent


@pytest.fixture(scope="session")
def asterisk(tmp_path_factory: pytest.TempPathFactory, carrier: Agent) -> Iterator[Asterisk]:
    """An Asterisk without an engine, its trunk leading to `carrier`."""
    with start_asterisk(tmp_path_factory.mktemp("asterisk"), Options(carrier.address)) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture
def empty(asterisk: Asterisk) -> Iterator[None]:
    """Asked for by every test that places calls: afterwards Asterisk holds no channel."""
    yield
    emptied = eventually(lambda: left_in(asterisk.endpoint) == [])
    if not emptied:
        asterisk.cli("channel request hangup all")  # one test's fault must not become the next one's
    assert emptied


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The whole service, engine and worker included; its carrier is there in tests that ask for `service`."""
    with open_house(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture
async def service(house: House) -> AsyncIterator[Service]:
    """The service with telephones at both ends; afterwards no call is left and no error was logged."""
    async with at_your_service(house) as it:
        yield it


@pytest.fixture
async def engine(service: Service) -> AsyncIterator[Fragile]:
    """The engine, to be ended and started; it runs when the test is over, whatever became of the test."""
    fragile = Fragile(service.house.engine)
    yield fragile
    await fragile.start()


@pytest.fixture
def spool(house: House, tmp_path: Path) -> Iterator[Spool]:
    """Where Asterisk records messages; what a test keeps of them is gone afterwards."""
    yield Spool(house.endpoint.recordings, tmp_path)
    for link in tmp_path.glob("*.wav"):
        link.unlink()


@pytest.fixture(scope="session")
def voicemails(house: House) -> dict[str, str]:
    """Service numbers by what their voicemail is like."""
    numbers = house.agree(*([{"voicemail": settings}] for settings in VOICEMAILS.values()))
    return dict(zip(VOICEMAILS, numbers, strict=True))


@pytest.fixture
def wire(service: Service) -> Iterator[Wire]:
    """What all telephones of `service` say and are told, by the instant."""
    with overheard() as seen:
        yield seen


def write_fallbacks(asterisk: Asterisk, table: dict[str, str]) -> None:
    """Let `table` (digits as dialled -> destination) be the fallbacks, in the way of the engine."""
    text = "".join(f"FB_{digits}={destination}\n" for digits, destination in table.items())
    Path(asterisk.endpoint.etc / "fallback.conf").write_text("[globals]\n" + text)
    ask(asterisk.endpoint, "/asterisk/modules/pbx_config.so", "PUT")
