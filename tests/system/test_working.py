"""Calls through the product as installed by the guide: a talk, a recording, a message that is mailed."""

import asyncio
import json
from typing import Any

import pytest

from devkit.carrier import Carrier
from devkit.phones import Phones, shown
from tests.system.guest import Guest
from tests.system.house import MESSAGE, OFFICE, RECORDED, SIP, TALKED

pytestmark = [pytest.mark.timeout(1800)]
CALLER_HZ, OFFICE_HZ, BEEP_HZ = 440, 600, 1000
CALLER = "+3225550001"


async def record_of(guest: Guest, number: str) -> dict[str, Any]:
    """The record of the one call to that number, as `callengine calls` exports it."""
    command = f"callengine calls --format json --number {number}"
    (record,) = json.loads(await guest.until(f"{command} | jq -e 'select(length == 1)'"))
    assert isinstance(record, dict)
    return record


async def test_a_call_is_answered_talked_and_recorded_for_the_bill(
    production: Guest, telephones: Phones, network: Carrier
) -> None:
    await production.until("curl -sf http://127.0.0.1:9460/ready")
    caller = await telephones.dial(TALKED, SIP, shown(CALLER), says=(CALLER_HZ,))
    await caller.wait_answered()
    await caller.hears(OFFICE_HZ)
    office = await network.picked_up(OFFICE)
    await office.hears(CALLER_HZ)
    await caller.hang_up()
    record = await record_of(production, TALKED)
    assert (record["outcome"], record["caller"], record["delivered_to"]) == ("answered", CALLER, OFFICE)
    assert record["talk_seconds"] > 0


async def test_a_conversation_is_kept_and_fetched(
    production: Guest, telephones: Phones, network: Carrier
) -> None:
    caller = await telephones.dial(RECORDED, SIP, shown(CALLER), says=(CALLER_HZ,))
    await caller.wait_answered(30)
    await caller.hears(OFFICE_HZ, 30)
    await asyncio.sleep(2)  # what is recorded
    await caller.hang_up()
    record = await record_of(production, RECORDED)
    listed = f"callengine recordings list --number {RECORDED} --format json"
    kept = json.loads(await production.until(f"{listed} | jq -e '.[0] | select(.state == \"stored\")'"))
    assert kept["recording_id"] == record["recording_id"]
    fetched = f"callengine recordings fetch {record['recording_id']} --output /root/call.flac"
    production.run(f"{fetched} && test $(head -c 4 /root/call.flac) = fLaC")
    assert production.run("ls /var/spool/asterisk/recording") == ""


async def test_a_message_is_mailed_and_destroyed_once_it_has_arrived(
    production: Guest, telephones: Phones
) -> None:
    caller = await telephones.dial(MESSAGE, SIP, shown(CALLER))
    await caller.hears(BEEP_HZ, 30)
    caller.say(CALLER_HZ)
    await asyncio.sleep(3)  # what is said
    await caller.hang_up()
    record = await record_of(production, MESSAGE)
    assert record["outcome"] == "voicemail"
    mailbox = "/var/mail/office"
    await production.until(f"grep -q 'Content-Type: audio' {mailbox}", 60)
    state = "callengine messages --format json | jq -re '.[0].state'"
    await production.until(f'test "$({state})" = destroyed', 60)
    assert production.run("ls /var/spool/asterisk/recording") == ""
    assert "no findings" in production.run("callengine audit")
