"""A destination that cannot be reached: its owner gets one mail, in their language, that names no caller."""

from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest

from dialplan.names import LANGUAGES
from dialplan.number import Owner
from dialplan.result import Outcome
from engine.breakers import REPORT_SECONDS, Breakers
from journal.entries import DestinationLeftOut
from journal.state import fold
from mailer.compose import Message, Sender, Unbuildable, compose
from mailer.return_address import ReturnAddresses
from storage.records import messages
from tests.unit.fake_dial import Answers, Says
from tests.unit.fake_services import FakeCallServices, attend
from tests.unit.fakes import FakeLine
from tests.unit.stories import terms_of

GONE, DESK = "+3221112233", "+32470111222"
ACME = Owner(name="ACME", mail=["office@acme.example"], language="nl")
CALL = "0199aaaa-0000-7000-8000-000000000001"


async def called(services: FakeCallServices, times: int = 3) -> FakeCallServices:
    """So many calls to a number whose first destination cannot be reached; the services of the last."""
    for _ in range(times):
        services = services.for_another_call()
        line = FakeLine({GONE: Says(Outcome.UNREACHABLE), DESK: Answers()}, call_id=CALL)
        await attend(line, services)
    return services


def services(owner: Owner = ACME) -> FakeCallServices:
    route = [{"ring": {"to": [GONE, DESK], "strategy": "in_order"}}]
    return FakeCallServices(replace(terms_of(route), owner=owner))


@pytest.mark.looptime
async def test_the_call_with_which_it_is_left_out_has_the_mail() -> None:
    before, last = await called(services(), 2), await called(shared := services())
    assert before.of(DestinationLeftOut) == []
    (entry,) = last.of(DestinationLeftOut)
    assert (entry.to, entry.attempts) == (GONE, 3)
    (mail,) = messages(fold(last.entries))
    assert (mail.message_id, mail.kind) == (f"{CALL}-out1", "left_out")
    assert (mail.deliver["to"], mail.deliver["language"]) == (("office@acme.example",), "nl")
    assert (await called(shared, 1)).of(DestinationLeftOut) == []


@pytest.mark.looptime
@pytest.mark.parametrize(
    "owner", [Owner(name="ACME"), ACME.model_copy(update={"unreachable": "off"})], ids=["no address", "off"]
)
async def test_an_owner_without_an_address_or_who_does_not_want_it_gets_none(owner: Owner) -> None:
    last = await called(services(owner))
    assert [entry.deliver for entry in last.of(DestinationLeftOut)] == [None]
    assert messages(fold(last.entries)) == ()


def opens(breakers: Breakers, now: float) -> tuple[int, bool]:
    """It could not be reached three times; how often in a row, and whether the owner is told."""
    in_a_row = [breakers.attempted(GONE, Outcome.UNREACHABLE, now) for _ in range(3)]
    return max(in_a_row), bool(in_a_row[-1]) and breakers.may_report(GONE, now)


def test_a_destination_that_comes_and_goes_is_mailed_once_in_some_hours() -> None:
    breakers = Breakers(3)
    assert opens(breakers, 0) == (3, True)
    assert opens(breakers, 10) == (0, False), "it was open"
    breakers.attempted(GONE, Outcome.BUSY, 20)
    assert opens(breakers, 30) == (3, False)
    breakers.attempted(GONE, Outcome.BUSY, 40)
    assert opens(breakers, REPORT_SECONDS) == (3, True)


# The mail.


def message(language: str = "en", **values: Any) -> Message:
    number = terms_of([{"announce": "welcome"}]).number
    deliver = number.delivery(ACME, (GONE, "3"), language)
    at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    known = Message(f"{CALL}-out1", "left_out", "+3280012345", "", False, at, "no_answer", deliver, at)
    return replace(known, **values)


def parsed(mail: bytes) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(mail)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_names_destination_and_number_in_the_owners_language(language: str) -> None:
    mail = parsed(compose(message(language), None, Sender("voicemail@provider.example", "Voicemail")))
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    for digits in ("2 111 22 33", "800 12 345"):
        assert digits.replace(" ", "") in f"{mail['Subject']}".replace(" ", "")
        assert digits.replace(" ", "") in text.replace(" ", "").replace("\n", "")
    assert "{" not in text
    assert mail["Message-ID"] == f"<vm.{CALL}-out1@provider.example>"


def test_languages_differ() -> None:
    sender = Sender("voicemail@provider.example", "Voicemail")
    subjects = {str(parsed(compose(message(one), None, sender))["Subject"]) for one in LANGUAGES}
    assert len(subjects) == len(LANGUAGES)


def test_a_sip_address_is_named_as_it_is() -> None:
    named = replace(message().deliver, path=("sip:+3221112233@pbx.acme.example", "3"))
    mail = parsed(compose(message(deliver=named), None, Sender("voicemail@provider.example", "Voicemail")))
    assert "+3221112233@pbx.acme.example" in str(mail["Subject"])


@pytest.mark.parametrize("to", ["+32\r\nBcc: a@b", "sip:a\r\nBcc: a@b.example", "sip:a", "desk"])
def test_a_destination_that_is_no_number_is_in_no_mail(to: str) -> None:
    wrong = replace(message().deliver, path=(to, "3"))
    with pytest.raises(Unbuildable):
        compose(message(deliver=wrong), None, Sender("voicemail@provider.example", "Voicemail"))


def test_its_return_address_is_read_back() -> None:
    addresses = ReturnAddresses([b"k" * 32])
    made = addresses.make(f"{CALL}-out1", "office@acme.example", "provider.example")
    returned = addresses.read(made)
    assert returned is not None
    assert returned.message_id == f"{CALL}-out1"
