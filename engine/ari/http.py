"""One command to Asterisk and its reply: HTTP with keep-alive. It takes 0.14-0.34 ms, median."""

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from engine.ari.errors import NoReply, Unavailable, refusal

# Asterisk closes idle connections after 15 s by default, which is also aiohttp's own limit: 4 of 60 POSTs met
# a connection that was just being closed, 0 of 40 when the client lets go first.
KEEP_ALIVE_SECONDS = 10
CONNECTIONS = 40
TIMEOUT = aiohttp.ClientTimeout(total=15, connect=3)

Value = str | int | bool | Sequence[str] | None


class Wire(Protocol):
    """What carries commands to Asterisk."""

    async def send(self, verb: str, path: str, /, *, json: Any = None, **params: Value) -> Any:
        """Carry out one operation and return its JSON, None where there is none.

        `path` and `params` are as in Asterisk's api-docs: `{names}` in the path are filled from the params,
        the rest is the query; None is left out. Raises `AriError`.
        """


class Http:
    """Commands over HTTP, at most 40 at once.

    A GET that meets a dead connection is repeated by aiohttp; nothing else is, see `NoReply`. Cancelling a
    command does not undo it.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        """`url` is the address before the path of any operation: `http://127.0.0.1:8088/ari`."""
        self._url = url.rstrip("/")
        # In the header: `?api_key=` would show in logs and exceptions.
        self._headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=TIMEOUT,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, verb: str, path: str, /, *, json: Any = None, **params: Value) -> Any:
        if self._session is None:
            raise RuntimeError("commands are sent inside `async with` the client")
        operation = f"{verb} {path}"
        url = URL(self._url + target(path, params), encoded=True)
        # The exceptions of aiohttp may quote the URL, which holds numbers: none of them is passed on.
        try:
            async with self._session.request(verb, url, json=json, allow_redirects=False) as reply:
                return read(reply.status, reply.content_type, await reply.read(), operation)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as lost:
            raise Unavailable(0, f"{operation}: Asterisk cannot be reached, {_kind(lost)}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as lost:
            raise NoReply(0, f"{operation}: no reply, {_kind(lost)}") from None


def target(path: str, params: Mapping[str, Value]) -> str:
    """Path and query of an operation, every value quoted: an id `PJSIP/x` stays one part of the path."""
    given = {name: _text(value) for name, value in params.items() if value is not None}
    in_path = {name for name in given if f"{{{name}}}" in path}
    filled = path.format(**{name: quote(given[name], safe="") for name in in_path})
    query = urlencode({name: value for name, value in given.items() if name not in in_path}, quote_via=quote)
    return f"{filled}?{query}" if query else filled


def read(status: int, content_type: str, body: bytes, operation: str) -> Any:
    """The JSON of a reply, None where it has none. Raises `AriError` if refused, or not to be read."""
    try:
        content = json.loads(body) if body and content_type == "application/json" else None
    except ValueError:
        raise Unavailable(status, f"{operation}: the reply cannot be read") from None
    if status >= 400:
        raise refusal(status, content, operation)
    return content


def _text(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int():
            return str(value)
        case None:
            return ""
        case _:  # Asterisk takes several values as one, with commas
            return ",".join(value)


def _kind(error: BaseException) -> str:
    return type(error).__name__
