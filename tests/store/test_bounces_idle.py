"""Clients that hold a connection to the listener and do not use it, idle or slow: each is ended in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from mailer.bounce import Report
from mailer.relays import Relays
from mailer.report_reader import ReportReader
from mailer.report_server import LIMITS, taking_reports
from mailer.reports import Reports
from mailer.return_address import Returned
from process.connections import Limits
from tests.store.hostile import Talk
from tests.store.posting import ADDRESSES, message_id

ADDRESS = ADDRESSES.make(message_id(1), "office@acme.example", "provider.example")
LONG = 3600.0


@asynccontextmanager
async def listening(limits: Limits = LIMITS, silence: float = LONG) -> AsyncIterator[int]:
    """A server whose reports are heard by nobody."""

    async def hear(_about: Returned, _report: Report) -> None:
        raise AssertionError("nothing is reported here")

    async with ReportReader() as reader:
        reports = Reports(ADDRESSES, Relays(None, None), reader, hear)
        async with taking_reports("127.0.0.1", 0, reports, limits, silence) as port:
            yield port


async def drip(talk: Talk, what: bytes) -> None:
    """Send that again and again, as slowly as it takes to be in time each time."""
    with suppress(ConnectionError):
        while True:
            talk.writer.write(what)
            await talk.writer.drain()
            await asyncio.sleep(0.02)


async def ready_for_data(port: int) -> Talk:
    talk = await Talk.open(port)
    await talk.answer()
    for line in ("HELO mail.example", "MAIL FROM:<>", f"RCPT TO:<{ADDRESS}>", "DATA"):
        await talk.say(line)
    return talk


async def test_an_idle_connection_is_ended() -> None:
    async with listening(silence=0.2) as port:
        talk = await Talk.open(port)
        await talk.ended()
        talk.close()


@pytest.mark.parametrize("what", [b"N", b"\r\n", b"x" * 100])
async def test_a_command_that_never_comes_to_its_end_is_not_waited_for(what: bytes) -> None:
    async with listening(silence=0.5) as port:
        talk = await Talk.open(port)
        dripping = asyncio.create_task(drip(talk, what))
        await talk.ended()
        await cancelled(dripping, talk)


async def test_a_mail_that_never_comes_to_its_end_is_not_waited_for() -> None:
    async with listening(silence=0.5) as port:
        talk = await ready_for_data(port)
        dripping = asyncio.create_task(drip(talk, b"x\r\n"))
        await talk.ended()
        await cancelled(dripping, talk)


async def test_a_client_that_always_says_something_in_time_is_ended_too() -> None:
    async with listening(Limits(total=100, seconds=0.5)) as port:
        talk = await Talk.open(port)
        dripping = asyncio.create_task(drip(talk, b"NOOP\r\n"))
        await talk.ended()
        await cancelled(dripping, talk)


async def cancelled(task: asyncio.Task[None], talk: Talk) -> None:
    task.cancel()
    await asyncio.wait({task})
    talk.close()


async def test_of_one_address_twenty_are_let_in_and_others_still_are() -> None:
    async with listening() as port:
        talks = [await Talk.open(port) for _ in range(25)]
        greetings = [(await talk.answer())[:3] for talk in talks]
        assert greetings == ["220"] * 20 + ["421"] * 5
        other = await Talk.open(port, "127.0.0.2")
        assert (await other.answer()).startswith("220")
        for talk in [*talks, other]:
            talk.close()


async def test_idle_connections_of_many_addresses_keep_nobody_out() -> None:
    async with listening() as port:
        idle = [await Talk.open(port, f"127.0.{n // 200}.{n % 200 + 1}") for n in range(300)]
        honest = await Talk.open(port, "127.0.9.9")
        assert (await honest.answer()).startswith("220")
        assert (await honest.say("HELO mail.example")).startswith("250")
        assert (await honest.say("MAIL FROM:<>")).startswith("250")
        assert (await honest.say(f"RCPT TO:<{ADDRESS}>")).startswith("250")
        await idle[0].ended()
        for talk in [*idle, honest]:
            talk.close()
