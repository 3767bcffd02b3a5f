"""The packages: the same bytes from the same commit; an update and its withdrawal under a live call."""

import asyncio
import hashlib

import pytest

from devkit.carrier import Carrier
from devkit.phones import Phones, shown
from tests.system.guest import Guest
from tests.system.guide import blocks
from tests.system.house import OFFICE, SIP, UPDATED
from tests.system.packages import NAMES, Packages, version_of
from tests.system.test_working import CALLER, CALLER_HZ, OFFICE_HZ, record_of

pytestmark = [pytest.mark.timeout(1800)]
SPOIL = """
chmod 644 /etc/callengine/credentials/database
systemctl stop callengine-worker
systemctl disable --quiet callengine-asterisk
sed -i 's/^maxload.*/maxload = 1.5/' /etc/asterisk/asterisk.conf
"""
REPAIR = """
chmod 600 /etc/callengine/credentials/database
systemctl start callengine-worker
systemctl enable --quiet callengine-asterisk
sed -i 's/^maxload.*/maxload = 0/' /etc/asterisk/asterisk.conf
"""
# At the same time: one takes 40 s of processor time, the other 90.
LINT = """
apt-get -qq install lintian
cd /srv/packages/now
lintian --allow-root --fail-on error callengine_*.deb >/tmp/lint 2>&1 & one=$!
lintian --allow-root --fail-on error callengine-asterisk_*.deb >/tmp/lint-asterisk 2>&1 & other=$!
wait $one && wait $other || { cat /tmp/lint /tmp/lint-asterisk; exit 1; }
"""
READY = "curl -sf http://127.0.0.1:9460/ready && curl -sf http://127.0.0.1:9461/ready"


def test_the_same_commit_gives_the_same_bytes(versions: Packages) -> None:
    digests = [
        [(package.name, hashlib.sha256(package.read_bytes()).hexdigest()) for package in built]
        for built in (versions.now, versions.again)
    ]
    assert [name.partition("_")[0] for name, _ in digests[0]] == sorted(NAMES, reverse=True)
    assert digests[0] == digests[1]


@pytest.mark.timeout(1900)
def test_lintian_finds_no_error_in_either(guest: Guest) -> None:
    guest.run(LINT, seconds=1800)


async def test_a_conversation_outlives_an_update_a_kill_and_the_way_back(
    production: Guest, telephones: Phones, network: Carrier, versions: Packages
) -> None:
    await production.until(READY)
    caller = await telephones.dial(UPDATED, SIP, shown(CALLER), says=(CALLER_HZ,))
    await caller.wait_answered()
    office = await network.picked_up(OFFICE)
    asterisk = pid_of(production, "callengine-asterisk")

    for step in ("later", "killed", "now"):
        before = pid_of(production, "callengine-engine")
        if step == "killed":
            production.run("systemctl kill --signal=KILL callengine-engine callengine-worker")
        else:
            await install(production, versions, step)
        await production.until(
            f"test $(systemctl show -P MainPID callengine-engine) != {before} && {READY}", 60
        )
        await caller.hears(OFFICE_HZ)
        await office.hears(CALLER_HZ)

    assert pid_of(production, "callengine-asterisk") == asterisk
    await caller.hang_up()
    record = await record_of(production, UPDATED)
    assert (record["outcome"], record["ended_by"], record["delivered_to"]) == ("answered", "caller", OFFICE)
    assert record["talk_seconds"] > 10
    production.run("systemctl start callengine-audit")  # its unit, under its full hardening
    assert "no findings" in production.log("callengine-audit")


async def test_the_doctor_names_what_an_update_has_left_to_do_and_then_finds_nothing(
    production: Guest, names: None
) -> None:
    production.run(blocks("Backup")[0].text)
    blamed = "callengine doctor --without clock --format json | jq -r '.findings[].check'"
    await production.until(f'test "$({blamed})" = versions')  # the worker counts backups now and then
    production.run("systemctl restart callengine-asterisk")
    await production.until(READY)
    assert "no findings" in await production.until("callengine doctor --without clock")


async def test_the_doctor_finds_what_is_wrong_each_with_its_remedy(production: Guest, names: None) -> None:
    production.run(SPOIL)
    shown_by_doctor = production.attempt("callengine doctor --without clock")
    production.run(REPAIR)
    assert shown_by_doctor.returncode == 1
    for line in (
        "error: units: callengine-asterisk would not start with the host; systemctl enable callengine-",
        "error: units: callengine-worker is inactive; systemctl enable --now callengine-worker",
        "error: credentials: /etc/callengine/credentials/database can be read by others",
        "error: worker: http://127.0.0.1:9461/ready does not answer",
        "warning: limits: maxload is 1.5",
    ):
        assert line in shown_by_doctor.stdout
    assert "Traceback" not in shown_by_doctor.stdout + shown_by_doctor.stderr
    await production.until("callengine doctor --without clock")


async def install(guest: Guest, packages: Packages, version: str) -> None:
    """Install this version as "Updating" says; it is there afterwards."""
    command = blocks("Updating")[0].text.replace("install", "install --allow-downgrades")
    await asyncio.to_thread(guest.run, f"cd /srv/packages/{version}\n{command}", seconds=900)
    assert "up to date" in guest.run(blocks("Updating")[1].text)
    wanted = [version_of(package) for package in getattr(packages, version)]
    there = guest.run("dpkg-query --show --showformat '${Version}\n' callengine callengine-asterisk").split()
    assert sorted(there) == sorted(wanted)


def pid_of(guest: Guest, unit: str) -> str:
    return guest.run(f"systemctl show -P MainPID {unit}").strip()
