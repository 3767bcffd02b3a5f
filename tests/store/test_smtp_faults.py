"""Mail servers in trouble: no message is lost, and none is doubled but where its answer was destroyed."""

from datetime import timedelta

import pytest

from mailer.answer import DeliveryResult
from mailer.post import Direct
from mailer.return_address import digest
from mailer.smtp import Mail, Server, Session, SmtpIdentity
from mailer.tls import Policy, verifying
from tests.store.posting import ADDRESSES, Transports, message_id, office, own
from tests.store.smtp import Ways, mail_server, mail_servers
from tests.store.smtp_answers import first, ids, roads


async def test_a_message_arrives_under_a_return_address_of_its_own(database: str) -> None:
    async with mail_server() as kept, office(database, roads(acme=kept)) as it:
        told = await it.leave(1)
        assert await it.round() == 1
        (mail,) = kept.mails
        assert mail.recipients == ("office@acme.example",)
        assert mail.sender.endswith("@provider.example")
        assert ADDRESSES.read(mail.sender) == (told, digest("office@acme.example"))
        assert ids(kept) == {f"<vm.{told}@provider.example>"}
        assert await it.state(told) == "accepted"
        assert (await it.row(told))["reply"] == "250 2.0.0 taken"
        assert (await it.row(told))["tls"] == "none"
        assert await it.round() == 0


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("RCPT", "450 4.2.0 greylisted"),
        ("RCPT", "552 5.2.2 mailbox full"),
        ("MAIL", "451 4.3.0 not now"),
        ("DATA", "421 4.3.2 going down"),
        ("dot", "451 4.3.0 queue full"),
        ("EHLO", "421 too many"),
    ],
)
async def test_not_now_is_asked_again_in_a_minute(database: str, verb: str, answer: str) -> None:
    async with (
        mail_server(Ways(reply=first(1, verb, answer))) as kept,
        office(database, roads(acme=kept)) as it,
    ):
        told = await it.leave(1)
        await it.round()
        row = await it.row(told)
        assert answer[:3] in row["reply"]
        assert timedelta(seconds=45) < row["wait"] < timedelta(seconds=75)  # a minute, and a fifth of chance
        await it.later(minutes=7)
        await it.round()
        assert await it.results(told) == ["deferred", "accepted"]
        assert ids(kept) == {f"<vm.{told}@provider.example>"}


@pytest.mark.parametrize(("verb", "answer"), [("RCPT", "550 5.1.1 unknown"), ("dot", "554 5.7.1 spam")])
async def test_a_refusal_is_asked_about_once_more_then_kept_for_a_person(
    database: str, verb: str, answer: str
) -> None:
    ways = Ways(reply=first(99, verb, answer))
    async with mail_server(ways) as kept, office(database, roads(acme=kept)) as it:
        told = await it.leave(1)
        await it.round()
        assert await it.state(told) == "waiting"
        assert await it.keeping(told) is None
        await it.later(minutes=2)
        await it.round()
        assert await it.results(told) == ["refused", "refused"]
        assert await it.state(told) == "undeliverable"
        assert timedelta(days=29) < (await it.keeping(told) or timedelta()) < timedelta(days=31)
        await it.later(days=1)
        assert await it.round() == 0


async def test_what_a_server_says_cannot_play_with_a_terminal_nor_fill_the_database(database: str) -> None:
    words = "550-5.1.1 \x1b[2J\x1b]0;owned\x07\xff \u202e" + "x" * 2000 + "\r\n550 and\tso on"
    ways = Ways(reply=first(9, "RCPT", words))
    async with mail_server(ways) as kept, office(database, roads(acme=kept)) as it:
        told = await it.leave(1)
        await it.round()
        reply = (await it.row(told))["reply"]
    assert reply.startswith("550 5.1.1 [2J ]0;owned")
    assert reply.isprintable()
    assert len(reply) == 500


async def test_of_two_recipients_one_is_refused_the_other_has_the_message(database: str) -> None:
    def reply(verb: str, argument: str) -> str | None:
        return "550 5.1.1 unknown" if verb == "RCPT" and "gone@" in argument else None

    async with mail_server(Ways(reply=reply)) as kept, office(database, roads(acme=kept)) as it:
        told = await it.leave(1, to=["gone@acme.example", "office@acme.example"])
        await it.round()
        assert await it.state(told) == "waiting", "one of them may still be asked"
        await it.later(minutes=2)
        await it.round()
        assert await it.results(told) == ["refused", "refused", "accepted"]
        assert [mail.recipients for mail in kept.mails] == [("office@acme.example",)]
        assert await it.state(told) == "accepted"


@pytest.mark.parametrize("to", ["office@nowhere.example"])
async def test_a_domain_that_takes_no_mail_is_a_refusal(database: str, to: str) -> None:
    async with office(database, roads()) as it:
        told = await it.leave(1, to=[to])
        await it.round()
        await it.later(minutes=2)
        await it.round()
        assert await it.results(told) == ["refused", "refused"]
        assert "no domain" in (await it.row(told, to))["reply"]


@pytest.mark.parametrize(
    "ways",
    [
        Ways(cut_after="MAIL"),
        Ways(cut_after="354"),
        Ways(endless_banner=True),
        Ways(banner="554 no mail here"),
        Ways(banner="what?"),
        Ways(banner="220-" + "x" * 9000),
    ],
    ids=["cut at MAIL", "cut in DATA", "endless banner", "banner 554", "no SMTP", "long banner"],
)
async def test_whatever_the_server_does_it_is_tried_again(database: str, ways: Ways) -> None:
    async with mail_server(ways) as kept, mail_server() as mended:
        servers = roads(acme=kept)
        async with office(database, servers) as it:
            told = await it.leave(1)
            await it.round()
            assert await it.results(told) == ["deferred"]
            servers.servers = roads(acme=mended).servers
            await it.later(minutes=2)
            await it.round()
    assert kept.mails == []
    assert len(mended.mails) == 1


async def test_taken_and_hung_up_is_taken(database: str) -> None:
    async with mail_server(Ways(cut_after="DATA")) as kept, office(database, roads(acme=kept)) as it:
        told = await it.leave(1)
        await it.round()
        assert await it.results(told) == ["accepted"]
        assert len(kept.mails) == 1


@pytest.mark.parametrize("audio", ["wav", "mp3", "opus"])
async def test_only_where_the_answer_was_destroyed_it_comes_twice_and_is_the_same_mail(
    database: str, audio: str
) -> None:
    async with mail_servers(Ways(cut_after="dot"), Ways()) as (kept, other):
        # The second server would take it at once, and must not be asked: the first one may have it.
        servers = Transports({"acme.example": [own(kept), own(other)]})
        async with office(database, servers) as it:
            told = await it.leave(1, audio=audio)
            await it.round()
            assert other.mails == []
            kept.ways.cut_after = ""
            await it.later(minutes=2)
            await it.round()
            assert await it.results(told) == ["deferred", "accepted"]
    once, again = kept.mails
    assert once.content == again.content
    assert ids(kept) == {f"<vm.{told}@provider.example>"}


async def test_the_next_server_of_a_domain_is_tried_when_one_does_not_take_it(database: str) -> None:
    async with mail_servers(Ways(reply=first(9, "RCPT", "450 not now")), Ways()) as (busy, idle):
        nobody = Server("localhost", 1, final=True)
        async with office(database, Transports({"acme.example": [nobody, own(busy), own(idle)]})) as it:
            told = await it.leave(1)
            await it.round()
            assert await it.results(told) == ["accepted"]
    assert (len(busy.mails), len(idle.mails)) == (0, 1)


@pytest.mark.parametrize(
    "ways",
    [
        Ways(offers=("SIZE 9000",)),
        Ways(reply=lambda verb, said: "552 5.3.4 too big" if verb == "MAIL" and size(said) > 9000 else None),
    ],
    ids=["said before", "said to MAIL"],
)
async def test_a_mail_too_big_for_its_server_goes_smaller(database: str, ways: Ways) -> None:
    ways.offers = (*ways.offers, "SIZE") if "SIZE 9000" not in ways.offers else ways.offers
    async with mail_server(ways) as kept, office(database, roads(acme=kept)) as it:
        told = await it.leave(1, audio="wav")
        await it.round()
        assert await it.results(told) == ["accepted"]
        (mail,) = kept.mails
        assert len(mail.content) < 9000
        assert b"audio/mpeg" in mail.content


def size(said: str) -> int:
    found = [int(word[5:]) for word in said.split() if word.startswith("SIZE=")]
    return found[0] if found else 0


async def test_one_too_big_in_every_form_is_told_of_and_kept(database: str) -> None:
    async with mail_server(Ways(offers=("SIZE 4000",))) as kept, office(database, roads(acme=kept)) as it:
        told = await it.leave(1)
        await it.round()
        (notice,) = kept.mails
        assert b"attachment" not in notice.content
        assert ids(kept) == {f"<vm.{told}.notice@provider.example>"}
        assert await it.state(told) == "undeliverable"
        assert await it.keeping(told) is not None


async def test_a_report_is_asked_for_where_one_may_follow() -> None:
    async with mail_server(Ways(offers=("DSN", "SIZE 9999"))) as kept:
        said: list[str] = []
        kept.ways.reply = lambda verb, argument: said.append(argument)
        mail = Mail("vm+1=2@provider.example", "office+x@acme.example", b"Subject: a\r\n\r\nb\r\n")
        for final in (False, True):
            await handed_over(Server("localhost", kept.port, final=final), mail)
    assert "TO:<office+x@acme.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;office+2Bx@acme.example" in said
    assert "TO:<office+x@acme.example>" in said
    assert said.count("FROM:<vm+1=2@provider.example> SIZE=17 RET=HDRS") == 2


async def handed_over(server: Server, mail: Mail) -> DeliveryResult:
    session = await Session.open(server, Policy.OPPORTUNISTIC, SmtpIdentity("here.example", verifying(None)))
    try:
        return await session.send(mail)
    finally:
        await session.quit()


async def test_directly_means_the_servers_of_the_domain_which_are_its_own() -> None:
    class Asked:
        async def of(self, domain: str) -> list[str]:
            return [f"mx1.{domain}", f"mx2.{domain}"]

    assert await Direct(Asked(), 2525).to("acme.example") == [
        Server("mx1.acme.example", 2525, final=True),
        Server("mx2.acme.example", 2525, final=True),
    ]


def test_message_ids_of_these_tests_are_those_of_calls() -> None:
    assert message_id(1).endswith("-vm1")
