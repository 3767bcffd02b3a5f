"""Replies come in any pieces; and which connection a command takes. No socket, the wire is a list."""

import asyncio
from collections.abc import Sequence

import pytest

from engine.ari.connection import Broken, Connection, Reply
from engine.ari.errors import Gone, NoReply, Unavailable
from engine.ari.http import KEEP_ALIVE_SECONDS, OPENED_AT_ONCE, TAKEN_SECONDS, Http

OK = b'HTTP/1.1 200 OK\r\nContent-type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
NOTHING = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
GONE = (
    b"HTTP/1.1 404 Not found\r\nContent-type: application/json\r\nContent-Length: 18\r\n\r\n"
    b'{"message":"gone"}'
)


class Wire(asyncio.Transport):
    """The other end: answers each request with the next of `answers`; None ends the connection."""

    def __init__(self, answers: Sequence[bytes | None]) -> None:
        super().__init__()
        self.asked: list[bytes] = []
        self.answers = list(answers)
        self.closed = False
        self.connection = Connection()
        self.connection.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.asked.append(bytes(data))
        if self.answers:
            asyncio.get_running_loop().call_soon(self.say, self.answers.pop(0))

    def say(self, answer: bytes | None) -> None:
        if answer is None:
            self.abort()
            self.connection.connection_lost(ConnectionResetError())
        else:
            self.connection.data_received(answer)

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


@pytest.mark.parametrize("cut", range(1, len(OK)))
async def test_a_reply_may_come_in_any_two_pieces(cut: int) -> None:
    wire = Wire([])
    asked = asyncio.ensure_future(wire.connection.ask(b"GET / HTTP/1.1\r\n\r\n"))
    await asyncio.sleep(0)
    wire.say(OK[:cut])
    assert not asked.done()
    wire.say(OK[cut:])
    assert await asked == [Reply(200, "application/json", b'{"a":1}')]


async def test_one_connection_carries_one_request_after_the_other() -> None:
    wire = Wire([OK, NOTHING])
    assert await wire.connection.ask(b"1") == [Reply(200, "application/json", b'{"a":1}')]
    assert await wire.connection.ask(b"2") == [Reply(204, "", b"")]
    assert wire.asked == [b"1", b"2"]
    assert wire.connection.is_open


@pytest.mark.parametrize("cut", range(1, len(NOTHING + GONE)))
async def test_several_requests_are_one_piece_and_their_replies_come_in_any_pieces(cut: int) -> None:
    wire, replies = Wire([]), NOTHING + GONE
    asked = asyncio.ensure_future(wire.connection.ask(b"1", b"2"))
    await asyncio.sleep(0)
    assert wire.asked == [b"12"]
    wire.say(replies[:cut])
    assert not asked.done()
    wire.say(replies[cut:])
    assert await asked == [Reply(204, "", b""), Reply(404, "application/json", b'{"message":"gone"}')]


async def test_a_connection_that_ends_before_the_last_reply_has_given_none() -> None:
    wire = Wire([])
    asked = asyncio.ensure_future(wire.connection.ask(b"1", b"2"))
    await asyncio.sleep(0)
    wire.say(NOTHING)
    wire.say(None)
    with pytest.raises(Broken) as broken:
        await asked
    assert broken.value.in_reply


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + OK,
        OK + b"HTTP",
        b"x" * 20_000,
    ],
)
async def test_what_is_no_reply_ends_the_connection(said: bytes) -> None:
    wire = Wire([said])
    with pytest.raises(Broken) as broken:
        await wire.connection.ask(b"1")
    assert broken.value.in_reply
    assert not wire.connection.is_open


async def test_what_nobody_asked_for_ends_the_connection() -> None:
    wire = Wire([])
    wire.say(OK)
    assert not wire.connection.is_open


async def test_a_reply_that_says_it_is_the_last_is_the_last() -> None:
    wire = Wire([OK.replace(b"\r\nContent-L", b"\r\nConnection: close\r\nContent-L")])
    assert [reply.status for reply in await wire.connection.ask(b"1")] == [200]
    assert not wire.connection.is_open


async def test_a_connection_left_while_it_waits_is_not_used_again() -> None:
    wire = Wire([])
    asked = asyncio.ensure_future(wire.connection.ask(b"1"))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert not wire.connection.is_open


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> list[Wire]:
    """What connections are opened to, in turn; the last one opened is out of the list."""
    prepared: list[Wire] = []

    async def open_next(*_: object) -> Connection:
        if not prepared:
            raise ConnectionRefusedError
        return prepared.pop(0).connection

    monkeypatch.setattr(Connection, "open", open_next)
    return prepared


def client() -> Http:
    return Http("http://127.0.0.1:8088/ari", "engine", "secret")


async def test_a_command_is_one_piece_with_its_login_in_the_head(wires: list[Wire]) -> None:
    wires.append(wire := Wire([OK]))
    async with client() as ari:
        assert await ari.send(
            "POST", "/channels/{channelId}/variables", channelId="x y", json={"a": "é"}
        ) == {"a": 1}
    assert wire.asked == [
        b"POST /ari/channels/x%20y/variables HTTP/1.1\r\nHost: 127.0.0.1:8088\r\n"
        b"Authorization: Basic ZW5naW5lOnNlY3JldA==\r\n"
        b'Content-Type: application/json\r\nContent-Length: 15\r\n\r\n{"a": "\\u00e9"}'
    ]


async def test_a_connection_is_kept_for_the_next_command(wires: list[Wire]) -> None:
    wires.append(wire := Wire([NOTHING, OK]))
    async with client() as ari:
        await ari.send("DELETE", "/bridges/{bridgeId}", bridgeId="br")
        await ari.send("GET", "/bridges")
        assert len(wire.asked) == 2
    assert wire.closed


@pytest.mark.looptime
async def test_a_connection_is_closed_before_asterisk_does(wires: list[Wire]) -> None:
    wires.extend([old := Wire([NOTHING]), fresh := Wire([NOTHING])])
    async with client() as ari:
        await ari.send("POST", "/a")
        await asyncio.sleep(KEEP_ALIVE_SECONDS + 1)
        await ari.send("POST", "/b")
    assert (len(old.asked), len(fresh.asked)) == (1, 1)


async def test_only_a_question_is_asked_again_on_a_new_connection(wires: list[Wire]) -> None:
    wires.extend([Wire([NOTHING, None]), fresh := Wire([OK])])
    async with client() as ari:
        await ari.send("POST", "/a")
        assert await ari.send("GET", "/b") == {"a": 1}
    assert len(fresh.asked) == 1


async def test_a_command_whose_reply_is_lost_is_not_given_again(wires: list[Wire]) -> None:
    wires.extend([Wire([NOTHING, None]), fresh := Wire([OK])])
    async with client() as ari:
        await ari.send("POST", "/a")
        with pytest.raises(NoReply, match=r"POST /channels/\{channelId\}/dial: no reply"):
            await ari.send("POST", "/channels/{channelId}/dial", channelId="secret")
    assert fresh.asked == []


async def test_asterisk_away_is_unavailable_and_no_lost_reply(wires: list[Wire]) -> None:
    async with client() as ari:
        with pytest.raises(Unavailable, match="cannot be reached, ConnectionRefusedError") as away:
            await ari.send("GET", "/a")
    assert type(away.value) is Unavailable


@pytest.mark.looptime
async def test_a_command_that_is_never_answered_is_given_up(wires: list[Wire]) -> None:
    wires.append(wire := Wire([]))
    async with client() as ari:
        with pytest.raises(NoReply, match="no reply in 15 s"):
            await ari.send("POST", "/a")
    assert wire.closed


async def test_a_refusal_leaves_the_connection_as_good_as_before(wires: list[Wire]) -> None:
    wires.append(wire := Wire([GONE, OK]))
    async with client() as ari:
        with pytest.raises(Gone):
            await ari.send("GET", "/a")
        await ari.send("GET", "/b")
    assert len(wire.asked) == 2


@pytest.mark.looptime
async def test_four_connections_are_opened_at_a_time(wires: list[Wire]) -> None:
    opened = [Wire([]) for _ in range(6)]
    wires.extend(opened)
    async with client() as ari:
        asked = [asyncio.ensure_future(ari.send("POST", f"/{n}")) for n in range(7)]
        await asyncio.sleep(TAKEN_SECONDS / 2)
        assert [len(wire.asked) for wire in opened] == [1] * OPENED_AT_ONCE + [0, 0]
        opened[0].say(NOTHING)
        await asked[0]
        await asyncio.sleep(TAKEN_SECONDS)
        assert [len(wire.asked) for wire in opened] == [2, 1, 1, 1, 1, 1], "an idle one is not passed by"
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


@pytest.mark.looptime
async def test_forty_commands_are_under_way_and_no_more(wires: list[Wire]) -> None:
    opened = [Wire([]) for _ in range(41)]
    wires.extend(opened)
    async with client() as ari:
        asked = [asyncio.ensure_future(ari.send("POST", f"/{n}")) for n in range(41)]
        await asyncio.sleep(1)
        assert [len(wire.asked) for wire in opened] == [1] * 40 + [0]
        opened[0].say(NOTHING)
        await asked[0]
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(opened[0].asked) == 2
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
