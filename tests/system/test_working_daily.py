"""What operators do every day, by the shell blocks of the guide: each is executed as it stands."""

import re
import secrets
import socket

import pytest

from devkit.carrier import Carrier
from devkit.phones import Phones, shown
from tests.system.guest import Guest
from tests.system.guide import blocks, filled_in
from tests.system.house import DAILY, DAILY_CALLER, KEPT, OFFICE, SIP, UPDATED
from tests.system.test_working import CALLER_HZ, OFFICE_HZ, record_of

pytestmark = [pytest.mark.timeout(1800)]
READY = "curl -sf http://127.0.0.1:9460/ready && curl -sf http://127.0.0.1:9461/ready"
PORTAL = "sed -i 's|^# url = \"https://portal|url = \"https://portal|' /etc/callengine/callengine.toml"
APPROVE = "callengine disclose --approve"
CHANGED = """INSERT INTO owner_change (owner, setting, value, changed_by)
VALUES ('acme', 'language', to_jsonb('nl'::text), 'office@acme.example')"""


async def talk(telephones: Phones, carrier: Carrier, number: str, caller: str) -> None:
    """A whole call: the office answers, both are heard, the caller hangs up."""
    phone = await telephones.dial(number, SIP, shown(caller), says=(CALLER_HZ,))
    await phone.wait_answered(30)
    await phone.hears(OFFICE_HZ, 30)
    await phone.hang_up()


async def test_recordings_are_listed_fetched_held_released_and_destroyed(
    production: Guest, telephones: Phones, network: Carrier
) -> None:
    await production.until(READY)
    await talk(telephones, network, KEPT, DAILY_CALLER)
    recording = (await record_of(production, KEPT))["recording_id"]
    stored = f"callengine recordings list --number {KEPT} --format json | jq -e '.[0].state == \"stored\"'"
    await production.until(stored)
    (block,) = blocks("Recordings")
    production.run("rm -f call.flac")
    said = production.run(filled_in(block, {" ID": f" {recording}"}))
    assert [what for what in ("fetch", "hold", "release", "destroy") if what not in said] == []
    assert production.run("head -c 4 /root/call.flac") == "fLaC"
    await production.until(f"callengine recordings list --all --number {KEPT} | grep destroyed")


async def test_a_live_call_is_shown_and_hung_up_and_the_engine_is_drained_and_undrained(
    production: Guest, telephones: Phones, network: Carrier
) -> None:
    phone = await telephones.dial(DAILY, SIP, shown(DAILY_CALLER), says=(CALLER_HZ,))
    await phone.wait_answered(30)
    await phone.hears(OFFICE_HZ, 30)
    call_id = production.run("callengine live --format json | jq -re '.[0].call_id'").strip()
    (block,) = blocks("Live calls and maintenance")
    said = production.run(filled_in(block, {"CALL_ID": call_id}))
    assert "1 live calls" in said
    assert DAILY in said
    record = await record_of(production, DAILY)
    assert (record["ended_by"], record["cause"]) == ("engine", 31)
    await production.until(READY)


async def test_records_are_exported_each_once(production: Guest) -> None:
    (block,) = blocks("Export")
    assert DAILY in production.run(f"{block.text}\ncat /root/records.json")
    again = production.run(block.text.splitlines()[1])
    assert again == ""
    assert DAILY not in production.run("cat /root/records.json")


async def test_calls_are_disclosed_by_two_persons(production: Guest) -> None:
    (block,) = blocks("Disclosing calls to an authority")
    days = {"+32470123456": DAILY_CALLER, "2026-11-01": "2026-01-01", "2026-11-08": "2999-01-01"}
    second = {APPROVE: f"echo 1001 >/proc/self/loginuid\n{APPROVE}"}  # another person's login
    said = production.run(filled_in(block, days | second))
    assert "calls, SHA-256" in said
    assert DAILY in production.run("cat /root/calls.csv")


async def test_an_owner_is_invited_locked_out_and_gets_a_token(production: Guest) -> None:
    production.run(PORTAL)
    production.run(f'psql -qd callengine -c "{CHANGED}"', user="postgres")
    (block,) = blocks("Owners and their access")
    said = production.run(filled_in(block, {"revoke 3": "revoke 1"}))
    assert "accepted by" in said
    assert "callengine_" in said
    await production.until("grep -q portal.provider.example /var/mail/office")
    assert "revoked" in production.run("callengine tokens list --format json")


async def test_routes_are_changed_by_apply_and_rolled_back(production: Guest) -> None:
    (block,) = blocks("Changing routes")
    *steps, rollback = filled_in(block, {"+3270012345": DAILY}).splitlines()
    production.run("\n".join(steps))
    production.run("test -L /etc/callengine/routing")
    number = f"/etc/callengine/routing.files/numbers/n{UPDATED.removeprefix('+')}.yaml"
    first = production.run("readlink -f /etc/callengine/routing").strip().rpartition("/")[2]
    production.run(f"sed -i 's/Europe.Brussels/Europe\\/Paris/' {number}")
    production.run("callengine apply /etc/callengine/routing.files --reason 'moved'")
    now = "curl -sf http://127.0.0.1:9460/ready | jq -r .routing.version"
    await production.until(f'test "$({now})" != "{first}"')
    production.run(re.sub("[0-9a-f]{12}", first[:12], rollback))
    await production.until(f'case "{first}" in "$({now})"*) ;; *) false ;; esac')


async def test_a_caller_is_erased_and_a_certificate_is_issued(production: Guest) -> None:
    (block,) = blocks("Erasing a caller")
    production.run(filled_in(block, {"+32470123456": DAILY_CALLER}))
    certified = "psql -qtAc 'SELECT count(*) FROM erasure_certificate' callengine"
    await production.until(
        f"runuser -u postgres -- psql -qc CHECKPOINT && runuser -u postgres -- {certified} | grep -x 1", 60
    )
    assert DAILY_CALLER not in production.run("callengine calls --format json")
    assert OFFICE in production.run("callengine calls --format json")
    assert "finished" in production.run("callengine forget --status")


async def test_a_rotated_log_of_strangers_goes_on_and_fail2ban_reads_both_files(production: Guest) -> None:
    production.run("apt-get -qq install logrotate fail2ban", seconds=900)
    folder, ops = "/var/log/asterisk", "/usr/share/callengine/ops/fail2ban/filter.d"
    for file in ("security.1", "security"):
        stranger(production)
        await production.until(f"grep -q RemoteAddress {folder}/security")
        if file == "security.1":
            production.run("logrotate --force /etc/logrotate.d/callengine-asterisk")
            production.run(f"! grep -q RemoteAddress {folder}/security")
    for file in ("security.1", "security"):
        found = production.run(f"fail2ban-regex {folder}/{file} {ops}/callengine.conf")
        assert "1 matched" in found, found
    production.run("logrotate --force /etc/logrotate.d/callengine-asterisk")
    assert production.run(f"ls {folder} | grep -c 'security\\.1\\.[0-9]' || true") == "0\n"


def stranger(guest: Guest) -> None:
    """A request from an address that is not the carrier's."""
    host, port = SIP.split(":")
    lines = [
        f"OPTIONS sip:{host} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.2:5999;branch=z9hG4bK{secrets.token_hex(8)}",
        "From: <sip:x@127.0.0.2>;tag=1",
        f"To: <sip:{host}>",
        f"Call-ID: {secrets.token_hex(8)}",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 70",
        "Content-Length: 0",
    ]
    with guest.network(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.2", 0))
        sender.sendto("\r\n".join([*lines, "", ""]).encode(), (host, int(port)))
