"""Hostile mails to a valid return address, and hostile clients: loop and honest reports go on."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import pairwise

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP

from mailer import listener
from mailer.report_reader import ReportReader
from mailer.report_server import ReportServer
from tests.store.hostile import BOMB, KB64, Talk, beating, begun, bombs, folded
from tests.store.posting import ADDRESSES, SENDER
from tests.store.test_bounces import OFFICE, OWNER, House, opened
from tests.unit.test_bounce import report

BOMBS = list(bombs(KB64))


@pytest.fixture
async def house(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(listener, "ReportReader", partial(ReportReader, cpu_seconds=0.2, wait_seconds=60))
    async with opened(database) as it:
        yield it


async def mailed(house: House, n: int = 1) -> tuple[str, str]:
    """A message that a smarthost has accepted, and its return address."""
    told = await house.office.leave(n, then=OWNER)
    await house.office.round()
    return told, ADDRESSES.make(told, OFFICE, SENDER.domain)


async def test_a_mail_of_830_kb_is_refused_by_its_announced_size(house: House) -> None:
    _, to = await mailed(house)
    talk = await Talk.open(house.listener.port)
    await talk.answer()
    talk.writer.write(b"EHLO mail.example\r\n")
    assert "SIZE 65536" in (await talk.reader.readuntil(b"250 HELP\r\n")).decode()
    assert (await talk.say("MAIL FROM:<> SIZE=830000")).startswith("552")
    assert (await talk.say(f"RCPT TO:<{to}>")).startswith("503")
    talk.close()


async def test_a_mail_of_830_kb_that_did_not_announce_it_is_refused_unread(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(*_: object) -> None:
        raise AssertionError("it was parsed")

    monkeypatch.setattr(ReportReader, "read", read)
    told, to = await mailed(house)
    client = await begun(house.listener.port, to)
    with pytest.raises(aiosmtplib.SMTPDataError, match="Too much mail data"):
        await client.data(folded(dict(bombs(830_000))["RFC 2231"]))
    client.close()
    assert await house.office.state(told) == "accepted"


@pytest.mark.parametrize(("name", "bomb"), BOMBS, ids=[name for name, _ in BOMBS])
async def test_no_mail_holds_up_the_loop(house: House, name: str, bomb: bytes) -> None:
    told, _ = await mailed(house)
    async with beating() as heart:
        assert await house.back(told, folded(bomb)) == "250 2.0.0 stored", name
    assert heart.longest < 0.1
    assert await house.office.state(told) == "bounced", "a mail without a sender is a failure, in any words"


async def test_an_address_is_good_for_one_mail_that_costs_too_much(house: House) -> None:
    told, _ = await mailed(house)
    assert await house.back(told, BOMB, sender=OFFICE) == "250 2.0.0 stored"
    assert await house.office.state(told) == "accepted", "it had a sender, so it is nobody's failure"
    assert await house.back(told, BOMB) == "550 5.7.1 this return address has been misused"
    other, _ = await mailed(house, 2)
    assert await house.back(other, report("failed")) == "250 2.0.0 stored", "others are not concerned"


async def test_honest_reports_are_heard_beside_hostile_ones(house: House) -> None:
    messages = [(await mailed(house, n))[0] for n in range(1, 13)]
    hostile, honest = messages[:4], messages[4:]
    async with asyncio.TaskGroup() as group:
        for told in hostile:
            group.create_task(house.back(told, BOMB))
        answers = [group.create_task(house.back(told, report("failed"))) for told in honest]
    assert {answer.result() for answer in answers} == {"250 2.0.0 stored"}
    assert {await house.office.state(told) for told in honest} == {"bounced"}


def poured(port: int, lines: bytes) -> tuple[socket.socket, int]:
    """A client that has written these lines before the loop has another turn, and how many bytes."""
    client = socket.create_connection(("127.0.0.1", port))
    client.setblocking(False)
    return client, client.send(lines)


@pytest.mark.parametrize("line", [b"\r\n", b"NOOP\r\n", b"XYZZY\r\n", b"RCPT TO:<" + b"(" * 400 + b">\r\n"])
async def test_the_loop_has_a_turn_after_each_line(
    house: House, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    turns, answered = [0], list[int]()
    push = SMTP.push

    async def counted(server: SMTP, status: str) -> None:
        answered.append(turns[0])
        await push(server, status)

    monkeypatch.setattr(SMTP, "push", counted)
    client, _ = poured(house.listener.port, b"HELO mail.example\r\nMAIL FROM:<>\r\n" + line * 2000)
    turning = asyncio.create_task(turn(turns))
    await answers_end(answered, client)
    turning.cancel()
    client.close()
    assert 9 <= len(answered) <= 110, "so many, and no more"
    assert min(later - earlier for earlier, later in pairwise(answered[:-1])) >= 1


async def turn(turns: list[int]) -> None:
    """Count the turns of the loop."""
    while True:
        await asyncio.sleep(0)
        turns[0] += 1


async def answers_end(answered: list[int], client: socket.socket) -> None:
    """Until the server has ended the connection."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60):
        try:
            while await loop.sock_recv(client, 65536):
                pass
        except ConnectionError:
            pass


async def test_what_one_read_brings_is_little(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else 64 kB of empty lines, which are one mail, are 32,000 steps at a stretch."""
    _, to = await mailed(house)
    sizes: list[int] = []
    received: Callable[[ReportServer, bytes], None] = ReportServer.data_received

    def noted(server: ReportServer, data: bytes) -> None:
        sizes.append(len(data))
        received(server, data)

    monkeypatch.setattr(ReportServer, "data_received", noted)
    start = f"HELO mail.example\r\nMAIL FROM:<>\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode()
    client, sent = poured(house.listener.port, start + b"\r\n" * 30_000 + b".\r\nQUIT\r\n")
    assert sent > 60_000
    await answers_end([], client)
    client.close()
    assert sum(sizes) >= 60_000
    assert max(sizes) <= 32_768


async def test_a_connection_that_goes_on_sending_is_cut(house: House) -> None:
    _, to = await mailed(house)
    talk = await Talk.open(house.listener.port)
    await talk.answer()
    for line in ("HELO mail.example", "MAIL FROM:<>", f"RCPT TO:<{to}>", "DATA"):
        await talk.say(line)
    with pytest.raises(ConnectionError):
        await pour(talk, 10_000_000)
    talk.close()


async def pour(talk: Talk, size: int) -> None:
    for _ in range(size // 100_000):
        talk.writer.write(b"x" * 998 + b"\r\n" + b"y" * 99_000)
        await talk.writer.drain()
