"""What comes back to the listener: what failed goes to the second address, or is kept; arrival is final."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import aiosmtplib
import pytest

from mailer.listener import Listener, ReportRules
from mailer.outbox import claim, taken
from mailer.post import Smarthost
from mailer.relays import Relays
from tests.lateness import PATIENCE
from tests.store.posting import ADDRESSES, SENDER, TERMS, Office, message_id, office
from tests.store.smtp import MailServer, mail_server
from tests.unit.test_bounce import report

OFFICE = "office@acme.example"
OWNER = "owner@acme.example"
BEHIND = replace(TERMS, smarthost="localhost")
RULES = ReportRules(ADDRESSES, Relays(None, BEHIND.smarthost), BEHIND)


@dataclass
class House:
    """An office behind a smarthost, and the listener beside it."""

    office: Office
    smarthost: MailServer
    listener: Listener

    async def back(self, told: str, content: bytes, recipient: str = OFFICE, sender: str = "") -> str:
        """What the listener answers when this comes back."""
        to = ADDRESSES.make(told, recipient, SENDER.domain)
        return await deliver(self.listener.port, to, content, sender)


async def deliver(port: int, to: str, content: bytes, sender: str = "") -> str:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
        try:
            await client.mail(sender)
            await client.rcpt(to)
            answer = await client.data(content)
        except aiosmtplib.SMTPResponseException as no:
            return f"{no.code} {no.message}"
    return f"{answer.code} {answer.message}"


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    async with opened(database) as it:
        yield it


@asynccontextmanager
async def opened(database: str, rules: ReportRules = RULES) -> AsyncIterator[House]:
    async with mail_server() as kept, office(database, Smarthost(kept.server), BEHIND) as it:
        heard = asyncio.Event()
        listener = Listener("127.0.0.1", 0, rules, heard.set)
        listening = asyncio.create_task(listener.run(it.pool))
        try:
            await until(lambda: listener.port > 0)
            yield House(it, kept, listener)
        finally:
            listening.cancel()
            await asyncio.wait({listening})


async def until(so: Callable[[], bool]) -> None:
    """Wait until it is so. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not so():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.01)


async def test_a_mail_that_comes_back_goes_to_the_second_address(house: House) -> None:
    told = await house.office.leave(1, then=OWNER)
    await house.office.round()
    assert await house.back(told, report("failed")) == "250 2.0.0 stored"
    assert await house.office.state(told) == "bounced"
    assert await house.office.keeping(told) is None, "it is not destroyed meanwhile"
    assert (await house.office.row(told))["reply"] == "smtp; 550 5.1.1 unknown here"
    await house.office.round()
    assert [mail.recipients for mail in house.smarthost.mails] == [(OFFICE,), (OWNER,)]
    assert await house.office.state(told) == "accepted"


async def test_when_that_comes_back_too_it_is_kept_for_a_person(house: House) -> None:
    told = await house.office.leave(1, then=OWNER)
    await house.office.round()
    await house.back(told, report("failed"))
    await house.office.round()
    await house.back(told, report("failed"), OWNER)
    assert await house.office.state(told) == "undeliverable"
    assert timedelta(days=29) < (await house.office.keeping(told) or timedelta()) < timedelta(days=31)
    assert await house.office.round() == 0


async def test_the_same_report_twice_is_one(house: House) -> None:
    told = await house.office.leave(1, then=OWNER)
    await house.office.round()
    for _ in range(3):
        await house.back(told, report("failed"))
    assert await house.office.round() == 1


async def test_a_report_of_its_arrival_ends_the_window(house: House) -> None:
    told = await house.office.leave(1)
    await house.office.round()
    assert (await house.office.keeping(told) or timedelta()) > timedelta(hours=23)
    await house.back(told, report("delivered"))
    assert (await house.office.keeping(told) or timedelta(1)) <= timedelta(0)


async def test_one_of_two_that_comes_back_changes_nothing_for_the_other(house: House) -> None:
    told = await house.office.leave(1, to=[OFFICE, OWNER])
    await house.office.round()
    await house.back(told, report("failed"))
    assert await house.office.state(told) == "accepted"
    assert (await house.office.row(told))["bounced_at"] is not None
    assert (await house.office.row(told, OWNER))["bounced_at"] is None


async def test_reports_about_one_of_two_do_not_keep_the_audio_longer(house: House) -> None:
    told = await house.office.leave(1, to=[OFFICE, OWNER])
    await house.office.round()
    await house.office.pool.execute("UPDATE outbox SET accepted_at = accepted_at - interval '23 hours'")
    for _ in range(2):
        assert await house.back(told, report("delivered")) == "250 2.0.0 stored"
        assert (await house.office.keeping(told) or timedelta(1)) < timedelta(hours=2)
    await house.back(told, report("failed"), OWNER)
    assert (await house.office.keeping(told) or timedelta(1)) <= timedelta(0)


@pytest.mark.parametrize("content", [report("delayed"), b"Subject: Re: Voicemail\r\n\r\nThanks!\r\n"])
async def test_what_says_nothing_changes_nothing(house: House, content: bytes) -> None:
    told = await house.office.leave(1, then=OWNER)
    await house.office.round()
    kept = await house.office.keeping(told)
    assert await house.back(told, content, sender=OFFICE) == "250 2.0.0 stored"
    assert await house.office.state(told) == "accepted"
    assert abs((await house.office.keeping(told) or timedelta()) - (kept or timedelta())) < timedelta(
        minutes=1
    )


async def test_nobody_else_gets_mail_here(house: House) -> None:
    assert (await deliver(house.listener.port, "office@provider.example", b"\r\n")).startswith("550 5.1.1")
    assert (await deliver(house.listener.port, "root", b"\r\n")).startswith("550 5.1.1")


async def test_a_report_about_nothing_of_ours_is_taken_and_forgotten(house: House) -> None:
    assert await house.back(message_id(99), report("failed")) == "250 2.0.0 stored"
    told = await house.office.leave(1)
    assert await house.back(told, report("failed"), "somebody@else.example") == "250 2.0.0 stored"
    assert await house.office.state(told) == "waiting"


async def test_a_report_that_is_quicker_than_our_own_note_is_to_come_again(house: House) -> None:
    told = await house.office.leave(1)
    async with taken(house.office.pool) as con:
        assert await claim(con, BEHIND)
    assert (await house.back(told, report("failed"))).startswith("451")


async def test_a_report_is_to_come_again_while_the_database_is_away(house: House) -> None:
    told = await house.office.leave(1)
    await house.office.round()
    await house.office.pool.execute("ALTER TABLE message RENAME TO elsewhere")
    assert (await house.back(told, report("failed"))).startswith("451")
    await house.office.pool.execute("ALTER TABLE elsewhere RENAME TO message")
    assert await house.back(told, report("failed")) == "250 2.0.0 stored"
    assert await house.office.state(told) == "undeliverable"


async def test_a_report_that_comes_when_all_is_destroyed_is_noted_and_resurrects_nothing(
    house: House,
) -> None:
    told = await house.office.leave(1, then=OWNER)
    await house.office.round()
    await house.office.pool.execute("UPDATE audio SET state = 'destroyed'")
    await house.office.pool.execute("UPDATE message SET state = 'destroyed'")
    await house.back(told, report("failed"))
    assert await house.office.state(told) == "destroyed"
    assert (await house.office.row(told))["bounced_at"] is not None
    assert await house.office.round() == 0


async def test_a_port_that_is_taken_is_told_and_tried_again(house: House) -> None:
    second = Listener("127.0.0.1", house.listener.port, RULES, lambda: None)
    listening = asyncio.create_task(second.run(house.office.pool))
    await until(lambda: bool(second.troubles))
    listening.cancel()
    await asyncio.wait({listening})
    assert "cannot listen at 127.0.0.1" in second.troubles[0]
