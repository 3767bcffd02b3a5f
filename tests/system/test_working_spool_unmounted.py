"""After a boot the disk of the spool is not mounted, and its empty folder is there; then it is mounted."""

import asyncio

import pytest

from devkit.phones import Phones, shown
from tests.system.guest import Guest
from tests.system.house import MAIL, SIP, UNMOUNTED
from tests.system.test_working import BEEP_HZ, CALLER, CALLER_HZ, record_of

pytestmark = [pytest.mark.timeout(1800)]
SPOOL, DISK = "/var/spool/asterisk/recording", "/srv/spool-disk"
UNITS = "callengine-asterisk callengine-engine callengine-worker"
MAILED = f"cat /var/mail/office 2>/dev/null | grep -c '^X-Original-To: {MAIL}' || true"


async def test_a_message_outlives_a_boot_without_the_disk_of_the_spool(
    production: Guest, telephones: Phones
) -> None:
    await production.until("curl -sf http://127.0.0.1:9460/ready && curl -sf http://127.0.0.1:9461/ready")
    mails = production.run(MAILED)
    production.run("systemctl stop callengine-worker")
    caller = await telephones.dial(UNMOUNTED, SIP, shown(CALLER))
    await caller.hears(BEEP_HZ, 30)
    caller.say(CALLER_HZ)
    await asyncio.sleep(3)  # what is said
    await caller.hang_up()
    message = (await production.until(f"ls {SPOOL}/*.wav")).strip()

    # The disk has what the folder had, and the folder is what tmpfiles makes of it at a boot.
    production.run(f"systemctl stop {UNITS} && cp -a {SPOOL} {DISK} && rm -r {SPOOL}")
    production.run(f"systemd-tmpfiles --create && systemctl start {UNITS}")
    ready = await production.until("curl -s http://127.0.0.1:9461/ready | grep 'mount its disk'", 60)
    assert SPOOL in ready
    assert production.run(f"ls {SPOOL}") == ""

    production.run(f"mount --bind {DISK} {SPOOL}")
    await production.until("curl -sf http://127.0.0.1:9461/ready", 60)
    record = await record_of(production, UNMOUNTED)
    assert record["outcome"] == "voicemail"
    await production.until(f'test "$({MAILED})" -gt {mails}', 60)
    await production.until(f"test ! -e {message}")
    assert "no findings" in production.run("callengine audit")
