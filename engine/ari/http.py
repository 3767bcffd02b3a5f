"""Commands to Asterisk and their replies: HTTP with keep-alive. One takes 0.14-0.34 ms, median."""

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote, urlsplit

from engine.ari.connection import Broken, Connection, Reply
from engine.ari.errors import NoReply, Unavailable, refusal
from journal.fault import point

# Asterisk closes idle connections after 15 s by default: 4 of 60 POSTs met a connection that was just being
# closed; 0 of 40 if the client closes it first.
KEEP_ALIVE_SECONDS = 10
CONNECTIONS = 40
# New connections at a time: Asterisk's listen queue holds five (main/tcptls.c). If it is full, TCP tries
# again after a second, without an error: one of 400 callers was set up after 1.1 s.
OPENED_AT_ONCE = 4
TAKEN_SECONDS = 0.005  # until Asterisk has accepted them
TOTAL_SECONDS = 15
CONNECT_SECONDS = 3

Value = str | int | bool | Sequence[str] | None


class Wire(Protocol):
    """Sends commands to Asterisk."""

    async def send(self, verb: str, path: str, /, *, json: Any = None, **params: Value) -> Any:
        """Carry out one operation and return the JSON of its reply, None if there is none.

        `path` and `params` are those of Asterisk's api-docs: `{names}` in the path are replaced by params,
        the other params are the query; None is omitted. Raises `AriError`.
        """


@dataclass(frozen=True, slots=True)
class Command:
    """`operation`: for errors and failpoints, without ids. `request`: what is sent."""

    operation: str
    request: bytes


class Http:
    """Commands over HTTP, at most 40 at once.

    A GET on a dead connection is repeated; no other command is, see `NoReply`. Cancelling a command does not
    undo it.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        """`url`: the part before the path of every operation: `http://127.0.0.1:8088/ari`."""
        address = urlsplit(url.rstrip("/"))
        self._encrypted = ssl.create_default_context() if address.scheme == "https" else None
        self._host, self._port = address.hostname or "", address.port or (443 if self._encrypted else 80)
        self._path = address.path
        # In the header: `?api_key=` would appear in logs and exceptions.
        login = b64encode(f"{user}:{password}".encode()).decode()
        self._head = f" HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Basic {login}\r\n"
        self._idle: list[Connection] = []  # the most recently used one last
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._opening = asyncio.Semaphore(OPENED_AT_ONCE)
        self._open = False

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def send(self, verb: str, path: str, /, *, json: Any = None, **params: Value) -> Any:
        command = self.command(verb, path, json=json, **params)
        (reply,) = await self.ask([command])
        return read(reply, command.operation)

    def command(self, verb: str, path: str, /, *, json: Any = None, **params: Value) -> Command:
        """Return a command for `ask`; the parameters are those of `send`."""
        return Command(f"{verb} {path}", self._written(verb, target(path, params), json))

    async def ask(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands in one piece and return the reply to each. Raises `AriError` if one is missing."""
        if not self._open:
            raise RuntimeError("commands are sent inside `async with` the client")
        for command in commands:
            point(f"ari.before {command.operation}")
        replies = await self._replies([command.request for command in commands], commands[-1].operation)
        for command in commands:
            point(f"ari.after {command.operation}")
        return replies

    async def text(self, path: str) -> str:
        """Return a text that Asterisk's HTTP server has beside ARI. Raises `AriError`."""
        request = f"GET {self._path.removesuffix('/ari')}{path}{self._head}Content-Length: 0\r\n\r\n"
        (reply,) = await self._replies([request.encode("ascii")], f"GET {path}")
        if reply.status >= 400:
            raise refusal(reply.status, None, f"GET {path}")
        return reply.body.decode("utf-8", "replace")

    async def _replies(self, requests: Sequence[bytes], operation: str) -> list[Reply]:
        """`operation`: the last of them, for errors."""
        may_repeat = all(request.startswith(b"GET ") for request in requests)
        try:
            async with asyncio.timeout(TOTAL_SECONDS), self._free:
                return await self._exchange(requests, repeat=may_repeat)
        except TimeoutError:
            raise NoReply(0, f"{operation}: no reply in {TOTAL_SECONDS} s") from None
        except OSError as error:
            raise Unavailable(0, f"{operation}: Asterisk cannot be reached, {type(error).__name__}") from None
        except Broken as error:
            raise NoReply(0, f"{operation}: no reply, {error}") from None

    def _written(self, verb: str, path: str, content: Any) -> bytes:
        """Return the whole request, to be sent in one piece."""
        line = f"{verb} {self._path}{path}{self._head}"
        if content is None:
            return f"{line}Content-Length: 0\r\n\r\n".encode("ascii")
        body = json.dumps(content)
        return f"{line}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode(
            "ascii"
        )

    async def _exchange(self, requests: Sequence[bytes], *, repeat: bool) -> list[Reply]:
        connection = await self._connection()
        was_used = connection.used
        try:
            replies = await connection.ask(*requests)
        except Broken as error:
            # Asterisk closed an idle connection: use a new one.
            if repeat and was_used and not error.in_reply:
                self._drop_idle()
                return await self._exchange(requests, repeat=False)
            raise
        if connection.is_open:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        return replies

    async def _connection(self) -> Connection:
        """Return an idle connection; or a new one, once it may be opened and none has become idle."""
        if idle := self._pop_idle():
            return idle
        await self._opening.acquire()
        if idle := self._pop_idle():
            self._opening.release()
            return idle
        asyncio.get_running_loop().call_later(TAKEN_SECONDS, self._opening.release)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await Connection.open(self._host, self._port, self._encrypted)
        except TimeoutError:
            raise ConnectionError("too late") from None

    def _pop_idle(self) -> Connection | None:
        """Return the most recently used idle connection that Asterisk has not closed."""
        oldest = asyncio.get_running_loop().time() - KEEP_ALIVE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()


def target(path: str, params: Mapping[str, Value]) -> str:
    """Return path and query, with every value quoted: an id `PJSIP/x` stays one part of the path."""
    given = {name: _text(value) for name, value in params.items() if value is not None}
    in_path = {name for name in given if f"{{{name}}}" in path}
    filled = path.format(**{name: quote(given[name], safe="") for name in in_path})
    query = "&".join(f"{name}={quote(given[name], safe='')}" for name in given if name not in in_path)
    return f"{filled}?{query}" if query else filled


def read(reply: Reply, operation: str) -> Any:
    """Return the JSON of a reply, None if it has none. Raises `AriError` if refused or unreadable."""
    is_json = reply.body and reply.content_type == "application/json"
    try:
        content = json.loads(reply.body) if is_json else None
    except ValueError:
        raise Unavailable(reply.status, f"{operation}: the reply is not JSON") from None
    if reply.status >= 400:
        raise refusal(reply.status, content, operation)
    return content


def _text(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int():
            return str(value)
        case None:
            return ""
        case _:  # Asterisk expects a list separated by commas
            return ",".join(value)
