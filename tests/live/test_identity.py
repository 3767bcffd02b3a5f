"""Hostile names and numbers: each call is taken or refused, and leaves a clean log and clean exports.

Names and numbers are what an attacker may put into From: 25 of the one, each with one of 10 of the other, or
with each of them.
"""

import asyncio
import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from itertools import cycle, product
from typing import Any

import pytest

from devkit.carrier import Refuses
from storage.export import COLUMNS
from storage.records import CallRecord
from tests.live.ari import ask
from tests.live.service import Service
from tests.live.sinks import all_sinks, callengine
from tests.live.sip import Agent, Call
from tests.tiers import first_light

# Between the quotes of From, as raw bytes where a surrogate stands. MARK is looked for afterwards.
MARK = "K4nar1e"
NAMES = {
    "plain": f"{MARK} Vogel",
    "formula": f"=cmd|' /C calc'!A0 {MARK}",
    "plus": f"+1+{MARK}",
    "minus": f"-2+3+{MARK}",
    "at": f"@SUM(1+1) {MARK}",
    "tab": f"\t=1+1 {MARK}",
    "path": f"../../../../etc/{MARK}",
    "backslashes": rf"..\\..\\{MARK}",
    "1 kB": MARK * 143,
    "10 kB": MARK * 1430,
    "right to left": f"\u202e{MARK}\u202c",
    "encoded word": f"=?utf-8?q?=0D=0ABcc:{MARK}@evil.example?=",
    "base64 word": "=?utf-8?b?DQpCY2M6SzRuYXIxZQ==?=",
    "escape": f"\x1b[2J\x1b]0;{MARK}\x07",
    "nul": f"a\x00{MARK}",
    "quotes": rf"\";{MARK}\"",
    "percent": f"%0d%0aBcc: {MARK}%00",
    "emoji": f"\U0001f4de\U0001f1e7\U0001f1ea {MARK}",
    "sql": f"'); DROP TABLE call; -- {MARK}",
    "dialplan": f"${{EXTEN}}${{SHELL(id)}}$[1+1] {MARK}",
    "markup": f"<script>{MARK}</script>",
    "json": rf"\",\"caller\":\"{MARK}\"}}{{",
    "no UTF-8": f"\udcff\udcfe{MARK}\udced\udca0\udc80",
    "line separators": f"\u2028\u0085{MARK}\ufeff\u200b",
    "format": f"%s%n%x{{0}}{{}} {MARK}",
}
# With these the dialplan cannot read the address: when in doubt, the caller is withheld.
UNREADABLE = {"10 kB", "sql"}
# In the user part of From; with each, the caller of the record.
NUMBERS = {
    "+4915123456789": "+4915123456789",
    "004915123456789": "+4915123456789",
    "=cmd%7c'%2fC'!A0": "",
    "+4915123456789+cmd": "",
    "..%2f..%2fetc%2fpasswd": "",
    "%0d%0aBcc%3a+4915123456789": "",
    "4915123456789%0a": "",
    "%D9%A1%D9%A2%D9%A3%D9%A4%D9%A5%D9%A6%D9%A7%D9%A8": "",  # Arabic digits
    "'%3bDROP%20TABLE%20call%3b%2d%2d$%7BEXTEN%7D": "",
    "%ff%fe%00%1b%5b2J": "",
}
# The parser of Asterisk drops these without a word: a name may not hold a line end (RFC 3261 25.1).
BROKEN = {
    "line feed": f"a\nBcc: {MARK}",
    "folded": f"a\r\n {MARK}",
    "header": f"a\r\nX-Evil: {MARK}\r\n b",
}
CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")
# What a spreadsheet may take for a formula (OWASP ASVS 1.2.10).
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Hostile:
    """A call, the number it is for, and whom its record may name."""

    name: str
    user: str
    number: str

    @property
    def caller(self) -> str:
        return NUMBERS[self.user] if self.name not in UNREADABLE else ""

    def place(self, sip: str) -> int:
        """The status it is answered with."""
        with Agent() as telephone:
            sender = f'"{NAMES[self.name]}" <sip:{self.user}@127.0.0.1>'
            return Call(telephone, sip, self.number, sender).invite().final()


PAIRS = {"each": list(zip(NAMES, cycle(NUMBERS), strict=False)), "with each": list(product(NAMES, NUMBERS))}


def hostile_calls(service: Service, pairs: Sequence[tuple[str, str]]) -> list[Hostile]:
    """One for each name and number. The destination rings a moment: the call can be looked at."""
    to = service.destination(Refuses(486, after=0.03))
    numbers = service.house.agree(*[[{"ring": to}]] * len(pairs))
    return [Hostile(name, user, number) for (name, user), number in zip(pairs, numbers, strict=True)]


async def place_all(service: Service, calls: Sequence[Hostile]) -> list[int]:
    """Place them, six at once."""
    room = asyncio.Semaphore(6)

    async def one(call: Hostile) -> int:
        async with room:
            return await asyncio.to_thread(call.place, service.house.run.sip)

    return await asyncio.gather(*map(one, calls))


async def listings(service: Service, enough: asyncio.Event) -> list[Any]:
    """What GET /channels answers, again and again until it is enough; anything but 200 is raised."""
    got = []
    while not enough.is_set():
        got.append(await asyncio.to_thread(ask, service.house.endpoint, "/channels"))
        await asyncio.sleep(0)
    return got


async def records_of(
    service: Service, calls: Sequence[Hostile], since: datetime
) -> dict[str, list[CallRecord]]:
    """The records of these calls by the number they were for, once there are enough since that instant."""
    ours = {call.number: list[CallRecord]() for call in calls}
    for record in await service.records(None, len(calls), since=since):
        if record.number in ours:
            ours[record.number].append(record)
    return ours


@pytest.mark.parametrize("pairs", first_light(*PAIRS))
async def test_every_hostile_call_is_taken_and_leaves_one_clean_record(service: Service, pairs: str) -> None:
    calls, enough, began = hostile_calls(service, PAIRS[pairs]), asyncio.Event(), datetime.now(UTC)
    watching = asyncio.create_task(listings(service, enough))
    statuses = await place_all(service, calls)
    enough.set()
    warnings = [line for line in service.house.log() if line["level"] == "warning"]
    assert set(statuses) == {486}, warnings[-5:]
    assert max(len(channels) for channels in await watching) > 1  # hostile calls were in it
    records = await records_of(service, calls, began)
    assert {call: [record.caller for record in records[call.number]] for call in calls} == {
        call: [call.caller] for call in calls
    }
    await logs_are_clean(service)
    await exports_are_clean(service)


async def logs_are_clean(service: Service) -> None:
    """One JSON object a line, no control character, no caller's number; and no name but on the wire."""
    for part in ("engine", "worker"):
        raw = (service.house.state / "log" / f"{part}.log").read_bytes()
        assert all(isinstance(json.loads(line), dict) for line in raw.splitlines())
        assert CONTROL.search(raw) is None
    sinks = await all_sinks(service)
    assert sinks.holding_text(MARK) == ["wire"]
    assert not [place for place in sinks.holding("+4915123456789") if "log" in place.split("/")]


async def exports_are_clean(service: Service) -> None:
    """One row for each record, and no cell that a spreadsheet could calculate."""
    exported = (await callengine(service.house, "calls")).decode()
    header, *rows = csv.reader(StringIO(exported))
    assert tuple(header) == COLUMNS
    assert len(rows) == len(exported.splitlines()) - 1 == len(await service.records(None, 1))
    cells = [cell for row in rows for cell in row]
    assert len(cells) == len(rows) * len(COLUMNS)
    assert [cell for cell in cells if cell.startswith(FORMULA)] == []


async def test_a_name_with_a_line_end_is_dropped_and_the_next_call_is_taken(service: Service) -> None:
    (number,) = service.house.agree([{"hangup": "busy"}])
    with Agent() as telephone:
        for name in BROKEN.values():
            Call(
                telephone, service.house.run.sip, number, f'"{name}" <sip:+4915123456789@127.0.0.1>'
            ).invite()
        honest = Call(telephone, service.house.run.sip, number).invite()
        assert await asyncio.to_thread(honest.final) == 486
        assert {message.one("call-id") for message in telephone.heard} == {honest.call_id}
    assert len(await service.records(number, 1)) == 1
