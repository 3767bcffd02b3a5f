"""A carrier that asks for a login, to which Asterisk registers: another Asterisk, as a registrar."""

import time
from collections.abc import AsyncIterator, Iterator

import pytest

from devkit.asterisk import Asterisk, Options, start_asterisk
from tests.lateness import PATIENCE
from tests.live.agreed import new_destination
from tests.live.carriers import Trunking, trunking
from tests.live.service import CALLER_HZ, Service, at_your_service, until
from tests.live.test_trunk_terms import ready_of

USER, PASSWORD = "4711", "of-the-carrier"
MODULES = (
    "res_pjsip_registrar",
    "res_pjsip_endpoint_identifier_user",
    "app_echo",
    "res_clioriginate",
)
CUSTOMER = f"""
[global]
type = global
endpoint_identifier_order = auth_username,username
[udp]
type = transport
protocol = udp
bind = {{sip}}
[{USER}]
type = endpoint
context = customer
identify_by = auth_username,username
auth = {USER}
aors = {USER}
disallow = all
allow = alaw
[{USER}]
type = auth
auth_type = digest
username = {USER}
password = {PASSWORD}
[{USER}]
type = aor
max_contacts = 1
"""
ECHO = "[customer]\nexten => _+X.,1,Answer()\n same => n,Echo()\n"


@pytest.fixture(scope="module")
def registrar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    """It takes no request without the login, and echoes what a caller says."""
    with start_asterisk(tmp_path_factory.mktemp("registrar"), Options("127.0.0.1:9")) as asterisk:
        asterisk.wait_until_ready()
        etc = asterisk.endpoint.etc
        (etc / "pjsip.conf").write_text(CUSTOMER.format(sip=asterisk.endpoint.sip))
        (etc / "extensions.conf").write_text(ECHO)
        for module in MODULES:
            asterisk.cli(f"module load {module}.so")
        for module in ("res_pjsip", "pbx_config"):
            asterisk.cli(f"module reload {module}.so")
        yield asterisk


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunking]:
    folder = tmp_path_factory.mktemp("registered")
    with trunking(folder, trunk_passwords__trunk=PASSWORD) as running:
        yield running


@pytest.fixture
async def service(carriers: Trunking) -> AsyncIterator[Service]:
    async with at_your_service(carriers.house) as service:
        yield service


def settings(registrar: Asterisk, number: str) -> dict[str, object]:
    login = {"user": USER, "registration": True, "contact": number}
    return {"host": registrar.endpoint.sip, **login, "qualify_seconds": 0}


async def test_asterisk_registers_and_calls_go_both_ways(
    carriers: Trunking, service: Service, registrar: Asterisk
) -> None:
    (number, welcome) = carriers.house.agree([{"ring": (to := new_destination())}], [{"announce": "welcome"}])
    await carriers.have(trunk=settings(registrar, welcome))
    await until(lambda: f"sip:{welcome}@" in registrar.cli("pjsip show contacts"))
    await until(lambda: state_of(carriers) == "registered")
    assert carriers.house.metric('trunk_registered{trunk="trunk"}') == 1
    caller = await service.call(number)
    await caller.hears(CALLER_HZ)  # its own voice: the carrier has taken the login
    await caller.hang_up()
    record = await service.record(number)
    assert (record.outcome, record.delivered_to) == ("answered", to)
    registrar.cli(f"channel originate PJSIP/{USER} application Echo")
    assert (await service.record(welcome)).outcome == "no_answer"


async def test_a_login_that_the_carrier_does_not_take_is_no_call_and_no_contact(
    carriers: Trunking, service: Service, registrar: Asterisk
) -> None:
    (number,) = carriers.house.agree([{"ring": new_destination()}])
    await carriers.have(trunk={**settings(registrar, number), "user": "4712"})
    await until(lambda: "Rejected" in registrations(carriers))
    service.forgiven.add("trunk_not_registered")
    await until(lambda: state_of(carriers) == "rejected")
    assert carriers.house.metric('trunk_registered{trunk="trunk"}') == 0
    since = carriers.house.metric('trunk_registration_since_seconds{state="rejected",trunk="trunk"}')
    assert 0 <= time.time() - since < PATIENCE
    (warning,) = ready_of(carriers.house)["warnings"]
    assert warning.startswith("trunk trunk is not registered (rejected) since ")
    await until(lambda: carriers.house.told("trunk_not_registered") == 1)
    caller = await service.call(number)
    await caller.wait_ended()
    record = await service.record(number)
    assert [(leg.trunk, leg.outcome, leg.sip) for leg in record.legs] == [("trunk", "rejected", 401)]


def state_of(carriers: Trunking) -> str:
    """What /ready says of the registration."""
    return str(ready_of(carriers.house)["registrations"].get("trunk", {}).get("state"))


def registrations(carriers: Trunking) -> str:
    running = carriers.house.asterisk.running
    assert running is not None
    return running.cli("pjsip show registrations")
