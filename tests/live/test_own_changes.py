"""What an owner has changed in the portal is in force on the next call, within 5 s, and after a restart."""

import json
import time
from datetime import timedelta

import asyncpg

from devkit.phones import shown
from tests.lateness import late
from tests.live.agreed import new_caller
from tests.live.fragile import Fragile
from tests.live.mails import leave_message, mail_to, speech, write_owner
from tests.live.service import Service, until

WITHIN = timedelta(seconds=5)
CHANGE = "INSERT INTO owner_change (owner, setting, value, changed_by) VALUES ($1, $2, $3::text::jsonb, $4)"


async def change(service: Service, owner: str, **values: object) -> None:
    """As the portal stores it; until the engine has it, in time."""
    read = service.house.told("owner_changes_read")
    con = await asyncpg.connect(service.house.run.database)
    try:
        async with con.transaction():
            for setting, value in values.items():
                await con.execute(CHANGE, owner, setting, json.dumps(value), "office@acme.example")
    finally:
        await con.close()
    began = time.monotonic()
    await until(lambda: service.house.told("owner_changes_read") > read)
    assert time.monotonic() - began < (WITHIN + late()).total_seconds()


async def is_mailed_as_changed(service: Service, number: str, address: str) -> None:
    said = speech(3)
    await leave_message(service, number, said, shown(new_caller()))
    (mail,) = await mail_to(service.house, address)
    (file,) = mail.files
    assert file.get_content_type() == "audio/ogg"
    assert "Nouveau message" in mail.text


async def test_the_next_calls_message_is_mailed_as_the_owner_wants_it_now(service: Service) -> None:
    write_owner(service.house, "amends", language="nl", audio="mp3")
    (number,) = service.house.agree([{"voicemail": "welcome"}], owner="amends")
    await change(service, "amends", language="fr", audio="opus", mail=["new@amends.example"])
    await is_mailed_as_changed(service, number, "new@amends.example")


async def test_the_next_engine_has_it_before_its_first_call(service: Service, engine: Fragile) -> None:
    write_owner(service.house, "amends-on", language="nl")
    (number,) = service.house.agree([{"voicemail": "welcome"}], owner="amends-on")
    await change(service, "amends-on", language="fr", audio="opus", mail=["new@amends-on.example"])
    await engine.end()
    await engine.start()
    await is_mailed_as_changed(service, number, "new@amends-on.example")
