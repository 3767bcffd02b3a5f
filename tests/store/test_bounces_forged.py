"""Forged reports: a stranger can say nothing about a mail, and nobody can have a message destroyed early."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from random import Random

import pytest

from mailer import report_reader
from mailer.relays import Relays
from mailer.return_address import ReturnAddresses, digest
from storage.key_wrapper import new_key
from tests.store.hostile import Talk
from tests.store.posting import ADDRESSES, SENDER, message_id
from tests.store.test_bounces import OFFICE, OWNER, RULES, House, deliver, opened
from tests.unit.test_bounce import report

ELSEWHERE = replace(RULES, relays=Relays({ip_network("192.0.2.0/24")}, None))
NO_SUCH = "550 5.1.1 no such return address"


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    async with opened(database) as it:
        yield it


@pytest.fixture
async def untrusting(database: str) -> AsyncIterator[House]:
    """A house in which the test's own address is not that of a trusted relay."""
    async with opened(database, ELSEWHERE) as it:
        yield it


@pytest.fixture
def nothing_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(*_: object) -> None:
        raise AssertionError("a stranger's mail was parsed")

    monkeypatch.setattr(report_reader.ReportReader, "read", read)


@pytest.mark.usefixtures("nothing_is_parsed")
@pytest.mark.parametrize("action", ["delivered", "failed"])
async def test_the_address_of_an_earlier_version_is_refused(house: House, action: str) -> None:
    told = await house.office.leave(1)
    await house.office.round()
    unsigned = f"vm+{told}={digest(OFFICE)}@{SENDER.domain}"
    assert await deliver(house.listener.port, unsigned, report(action)) == NO_SUCH
    assert await house.office.state(told) == "accepted"
    assert (await house.office.keeping(told) or timedelta()) > timedelta(hours=23)


@pytest.mark.usefixtures("nothing_is_parsed")
async def test_who_knows_the_id_and_guesses_the_token_is_refused_each_time(house: House) -> None:
    told = await house.office.leave(1)
    await house.office.round()
    random = Random(7)
    for _ in range(30):
        talk = await Talk.open(house.listener.port)
        assert (await talk.answer()).startswith("220")
        assert (await talk.say("HELO mail.example")).startswith("250")
        assert (await talk.say("MAIL FROM:<>")).startswith("250")
        for _ in range(9):
            guessed = ReturnAddresses([random.randbytes(32)]).make(told, OFFICE, SENDER.domain)
            assert await talk.say(f"RCPT TO:<{guessed}>") == NO_SUCH
        assert (await talk.say("DATA")).startswith("503"), "without a recipient there is no mail"
        assert (await talk.answer()).startswith("421"), "and after ten errors no connection"
        assert await talk.answer() == ""
        talk.close()
    assert (await house.office.keeping(told) or timedelta()) > timedelta(hours=23)


@pytest.mark.usefixtures("nothing_is_parsed")
async def test_a_guessed_id_with_a_token_of_another_key_is_refused(house: House) -> None:
    forged = ReturnAddresses([new_key()])
    for n in range(1, 6):
        told = await house.office.leave(n)
        await house.office.round()
        to = forged.make(told, OFFICE, SENDER.domain)
        assert await deliver(house.listener.port, to, report("delivered")) == NO_SUCH
        assert await house.office.state(told) == "accepted"


async def test_a_report_is_about_the_recipient_whose_address_it_came_to(house: House) -> None:
    """The owner of one mailbox cannot speak for the other: each has only the token of its own mail."""
    told = await house.office.leave(1, to=[OFFICE, OWNER])
    await house.office.round()
    mine = ADDRESSES.make(told, OWNER, SENDER.domain)
    other = mine.replace(digest(OWNER), digest(OFFICE))
    assert await deliver(house.listener.port, other, report("failed")) == NO_SUCH
    assert (await house.office.row(told, OFFICE))["bounced_at"] is None


async def test_arrival_that_a_stranger_reports_does_not_shorten_the_bounce_window(untrusting: House) -> None:
    """Even with a valid address: it is in the mail, for everybody to read who gets it or passes it on."""
    told = await untrusting.office.leave(1)
    await untrusting.office.round()
    assert await untrusting.back(told, report("delivered")) == "250 2.0.0 stored"
    assert (await untrusting.office.keeping(told) or timedelta()) > timedelta(hours=23)
    assert (await untrusting.office.row(told))["final"] is not True


async def test_a_failure_that_a_stranger_reports_counts(untrusting: House) -> None:
    """It destroys nothing, so the address is enough: the relay it comes from is as a rule not ours."""
    told = await untrusting.office.leave(1, then=OWNER)
    await untrusting.office.round()
    await untrusting.back(told, report("delivered"))
    await untrusting.back(told, report("failed"))
    assert await untrusting.office.state(told) == "bounced"


@pytest.mark.usefixtures("nothing_is_parsed")
async def test_a_mail_is_for_one_recipient(house: House) -> None:
    talk = await Talk.open(house.listener.port)
    await talk.answer()
    await talk.say("EHLO mail.example")
    await talk.say("MAIL FROM:<>")
    addresses = [ADDRESSES.make(message_id(n), OFFICE, SENDER.domain) for n in (1, 2)]
    assert [(await talk.say(f"RCPT TO:<{to}>"))[:3] for to in addresses] == ["250", "452"]
    talk.close()
