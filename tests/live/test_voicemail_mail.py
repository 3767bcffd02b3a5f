"""A message spoken into a real call arrives in its owner's mailbox, and then is gone from here."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from devkit.audio import RATE, correlation
from devkit.carrier import Refuses
from devkit.parts import ended
from devkit.phones import WITHHELD, shown
from dialplan.delivery import Format
from tests.lateness import late
from tests.live.agreed import new_caller
from tests.live.mails import leave_message, mail_to, settled, speech, traces, write_owner
from tests.live.service import House, Service, until
from tests.live.sinks import all_sinks, callengine, canary
from tests.live.sip import Agent, Call
from tests.live.test_identity import NAMES

MAILED_AS: dict[Format, tuple[str, str]] = {
    "mp3": ("audio/mpeg", "mp3"),
    "wav": ("audio/wav", "wav"),
    "opus": ("audio/ogg", "opus"),
}
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "X-Voicemail-Id",
    "MIME-Version",
    "Content-Type",
}


async def test_what_was_spoken_is_mailed_in_each_format_and_nothing_of_it_stays(service: Service) -> None:
    await asyncio.gather(*(message_of_six_seconds(service, chosen) for chosen in MAILED_AS))
    await callengine(service.house, "audit")


async def message_of_six_seconds(service: Service, chosen: Format) -> None:
    began, said, caller = time.time(), speech(6, list(MAILED_AS).index(chosen)), new_caller()
    address = write_owner(service.house, f"hears-{chosen}", audio=chosen)
    (number,) = service.house.agree([{"voicemail": "welcome"}], owner=f"hears-{chosen}")
    await leave_message(service, number, said, shown(caller))
    (mail,) = await mail_to(service.house, address)  # at the first attempt: the next is a minute later
    assert mail.tls == "TLSv1.3"
    (file,) = mail.files
    assert (file.get_content_type(), str(file.get_filename()).rpartition(".")[2]) == MAILED_AS[chosen]
    assert correlation(said, mail.sound) > 0.95
    assert 6 < len(mail.sound) / RATE < 9 + late().total_seconds()
    assert f"tel:{caller}" in mail.text
    await settled(service, number, "destroyed/destroyed")
    assert traces(service.house, said, [file.get_content()], began) == []
    record = await service.record(number)
    assert (record.outcome, record.message_id) == ("voicemail", f"{record.call_id}-vm1")
    await check_tombstone(service, f"{record.call_id}-vm1")


@asynccontextmanager
async def without_worker(house: House) -> AsyncIterator[None]:
    """Nothing happens after calls."""
    assert house.worker.process is not None
    house.worker.terminate()
    await ended(house.worker.process)
    try:
        yield
    finally:
        await house.worker.start()


async def check_tombstone(service: Service, audio_id: str) -> None:
    con = await asyncpg.connect(service.house.run.database)
    try:
        tombstone = await con.fetchrow("SELECT * FROM tombstone WHERE audio_id = $1", audio_id)
        assert tombstone is not None
        assert (tombstone["reason"], tombstone["method"], tombstone["versions"]) == (
            "delivered",
            "key+object",
            1,
        )
        assert await con.fetchval("SELECT count(*) FROM keys.audio_key WHERE audio_id = $1", audio_id) == 0
    finally:
        await con.close()


async def test_a_message_waits_in_the_spool_alone_while_the_worker_is_away(service: Service) -> None:
    """Where the sound is looked for, one that is there is seen: else the other tests see nothing."""
    house, began, said = service.house, time.time(), speech(4, 5)
    address = write_owner(house, "waits")
    (number,) = house.agree([{"voicemail": "welcome"}], owner="waits")
    async with without_worker(house):
        await leave_message(service, number, said)
        await until(lambda: any(entry["kind"] == "call_end" for entry in service.journal(number)))
        (vm_end,) = [entry for entry in service.journal(number) if entry["kind"] == "vm_end"]
        spool = house.endpoint.recordings / f"{vm_end['audio']}.wav"
        assert traces(house, said, [], began) == [str(spool)]
    (mail,) = await mail_to(house, address)
    assert correlation(said, mail.sound) > 0.95
    await settled(service, number, "destroyed/destroyed")
    assert traces(house, said, [mail.files[0].get_content()], began) == []


async def test_a_withheld_number_is_in_no_mail_either(service: Service) -> None:
    house = service.house
    address = write_owner(house, "curious", missed_calls="mail")
    busy = service.destination(Refuses(486))
    takes, misses = house.agree([{"voicemail": "welcome"}], [{"ring": busy}], owner="curious")
    callers = [(way, canary(), place) for place, way in enumerate(WITHHELD)]
    await asyncio.gather(
        *(leave_message(service, takes, speech(2, k), WITHHELD[way](secret)) for way, secret, k in callers)
    )
    for way, secret, _ in callers:
        caller = await service.call(misses, WITHHELD[way](secret))
        await caller.wait_ended()
    found = await mail_to(house, address, 2 * len(WITHHELD))
    assert sorted(len(mail.files) for mail in found) == [0] * len(WITHHELD) + [1] * len(WITHHELD)
    assert all("withheld" in str(mail.message["Subject"]) for mail in found)
    await settled(service, takes, "destroyed/destroyed", len(WITHHELD))
    sinks = await all_sinks(service)
    assert {way: sinks.holding(secret) for way, secret, _ in callers} == {way: [] for way in WITHHELD}


async def test_a_number_that_is_shown_stands_in_the_mail(service: Service) -> None:
    """Where a withheld number is looked for, one that is there is seen."""
    house, secret = service.house, canary()
    address = write_owner(house, "informed")
    (number,) = house.agree([{"voicemail": "welcome"}], owner="informed")
    await leave_message(service, number, speech(2, 9), shown(secret))
    await mail_to(house, address)
    places = (await all_sinks(service)).holding(secret)
    assert {"mails", "messages"} < set(places)
    assert not [place for place in places if "log" in place.split("/")]


async def test_hostile_names_change_no_header_of_a_mail(service: Service) -> None:
    house = service.house
    address = write_owner(house, "besieged", missed_calls="mail")
    (number,) = house.agree([{"ring": service.destination(Refuses(486))}], owner="besieged")
    with Agent() as telephone:
        for name in NAMES.values():
            sender = f'"{name}" <sip:+4915123456789@carrier.example>'
            call = Call(telephone, house.run.sip, number, sender, [])
            assert await asyncio.to_thread(call.invite().final) == 486
    for mail in await mail_to(house, address, len(NAMES)):
        names = [name for name, _ in mail.message.items()]
        assert sorted(names) == sorted(HEADERS)
        assert str(mail.message["To"]) == address
        assert "K4nar1e" not in mail.text
        assert mail.recipients == [address]
        assert re.fullmatch(
            r"<vm\.[0-9a-f-]{36}-missed@callengine\.example>", str(mail.message["Message-ID"])
        )
