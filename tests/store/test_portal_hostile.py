"""Hostile requests to the portal: other hosts and sites, forged forms, odd paths, large and slow requests."""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from portal import server
from portal.guard import FORM, HEADERS
from process.connections import Limits
from tests.store.calls import answered_call, call_id
from tests.store.portal import OFFICE, Street, street_of

PUBLIC_FORMS = (
    *("/login", "/login/use", "/language", "/confirm/use"),
    *("/login/passkey", "/login/passkey/use"),
)
FORMS = (
    *("/calls", "/data", "/data/addresses", "/data/addresses/remove", "/numbers/switch", "/logout"),
    *("/data/passkeys", "/data/passkeys/add", "/data/passkeys/remove"),
)
BIG = b"address=" + b"x" * 10_000_000


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    async with street_of(roles, tmp_path) as found:
        await found.house.drain(answered_call(1))
        yield found


async def said(street: Street, *lines: str, more: bytes = b"", seconds: float = 20) -> str:
    """What the portal answers to these bytes."""
    place = urlsplit(street.url)
    assert place.hostname
    assert place.port
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write("\r\n".join((*lines, "", "")).encode() + more)
        async with asyncio.timeout(seconds):
            return (await reader.read()).decode("utf-8", "replace")
    except ConnectionResetError:
        return ""
    finally:
        await end(writer)


async def end(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "{host}.evil.example", ""])
async def test_another_host_is_refused(street: Street, host: str) -> None:
    host = host.format(host=urlsplit(street.url).netloc)
    assert (await said(street, "GET /login HTTP/1.1", f"Host: {host}")).startswith("HTTP/1.1 4")
    browser = await street.logged_in(OFFICE)
    assert (await browser.get("/calls", Host=host or "x")).status in (400, 421)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json"},
    ],
)
async def test_a_form_of_another_site_is_refused(street: Street, headers: dict[str, str]) -> None:
    browser = await street.logged_in(OFFICE)
    for path in (*PUBLIC_FORMS, *FORMS):
        assert (await browser.post(path, {"address": OFFICE}, **headers)).status in (403, 415), path
    assert (await browser.get("/calls")).status == 200


@pytest.mark.parametrize("token", ["", "0" * 64, "é", "other"])
async def test_a_form_without_the_sessions_token_is_refused(street: Street, token: str) -> None:
    browser, other = [await street.logged_in(OFFICE) for _ in range(2)]
    if token == "other":  # of another session of the same owner
        found = re.search('name="token" value="([0-9a-f]+)"', (await other.get("/calls")).text)
        assert found
        token = found[1]
    for path in FORMS:
        assert (await browser.post(path, {"token": token})).status == 403, path
    assert (await browser.get("/calls")).status == 200


async def test_no_form_is_written_to_a_file(street: Street) -> None:
    browser = street.browser()
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await browser.ask("POST", "/login", data=b"--x--", headers=kind)
    assert answer.status == 415


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd",
        "/static/../../config/settings.py",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/portal.css/..",
        "//evil.example/",
        "/calls/..%2f..%2f",
        f"/calls/{call_id(1)}%00",
        f"/calls/{call_id(1).upper()}",
        "/calls/calls.exe",
        "/recordings/../calls",
        "/calls?after=1_../../x",
        "/calls?after=" + "9" * 17 + "_x",
        "/calls?filter=AAAA",
        "/calls?filter=%00",
        "/messages?after=x",
        "/accesses?after=-1",
        "/accesses?after=" + "9" * 30,
        "/login/" + "x" * 44,
        "/confirm/acme/" + "x" * 44,
        "/confirm/../acme/" + "x" * 43,
        f"/confirm/ACME%2f/{'x' * 43}",
        "/messages/../../etc/passwd/sound",
        f"/messages/{call_id(1)}-vm1%00/sound",
        "/calls%0d%0aSet-Cookie:%20a=b",
    ],
)
async def test_an_odd_path_leads_nowhere(street: Street, path: str) -> None:
    browser = await street.logged_in(OFFICE)
    cookie, host = browser.cookies["session"], urlsplit(street.url).netloc
    answer = await said(street, f"GET {path} HTTP/1.1", f"Host: {host}", f"Cookie: session={cookie}")
    assert answer.split()[1] in {"400", "404"}, answer[:200]
    assert "Set-Cookie" not in answer
    assert "root:" not in answer


async def test_a_large_request_is_refused_and_the_next_one_served(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    for path in (*PUBLIC_FORMS, *FORMS):
        kind = {"Content-Type": FORM}
        with suppress(aiohttp.ClientError):  # the portal may end the connection before it has read all
            answer = await browser.ask("POST", path, data=io.BytesIO(BIG), headers=kind)
            assert answer.status == 413, path
    host = f"Host: {urlsplit(street.url).netloc}"
    chunked = (f"Content-Type: {FORM}", "Transfer-Encoding: chunked")
    body = b"20000\r\n" + b"a" * 0x20000 + b"\r\n0\r\n\r\n"
    assert " 413 " in await said(street, "POST /login HTTP/1.1", host, *chunked, more=body)
    for head in (f"GET /{'x' * 9000} HTTP/1.1", "GET / HTTP/1.1\r\nX-Long: " + "x" * 9000):
        assert (await said(street, head, host)).split()[1] == "400"
    many = [f"X-{n}: 1" for n in range(20_000)]
    assert (await said(street, "GET / HTTP/1.1", host, *many)).split()[1:2] in ([], ["400"], ["431"])
    assert (await browser.get("/calls")).status == 200


async def test_slow_clients_are_ended_and_do_not_keep_others_out(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two seconds for a request instead of thirty, and room for 20 connections."""
    monkeypatch.setattr(server, "LIMITS", Limits(total=20, seconds=2.0))
    place = urlsplit(street.url)
    small = street.services.portal.model_copy(update={"port": 0})
    services = replace(street.services, portal=small)
    async with server.serving(services) as address:
        host, _, port = address.rpartition(":")
        slow = [await asyncio.open_connection(host, int(port)) for _ in range(60)]
        for n, (_, writer) in enumerate(slow):
            writer.write(b"GET /login HTTP/1.1\r\n" if n % 2 else b"POST /login HTTP/1.1\r\n")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /login HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
        async with asyncio.timeout(30):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            ended = [await quiet(slow_reader) for slow_reader, _ in slow]
        assert len(ended) == 60
        for _, some in [*slow, (reader, writer)]:
            await end(some)


async def quiet(reader: asyncio.StreamReader) -> bytes:
    """Until the connection has ended."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def test_a_form_that_does_not_arrive_is_given_up(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.guard.BODY_SECONDS", 0.3)
    host = f"Host: {urlsplit(street.url).netloc}"
    kind = f"Content-Type: {FORM}"
    answer = await said(street, "POST /login HTTP/1.1", host, kind, "Content-Length: 50", more=b"address=a")
    assert answer.startswith("HTTP/1.1 408")


async def test_every_answer_has_the_headers_that_protect_it(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    for path in ("/", "/calls", "/login", "/nothing", "/calls/calls.csv"):
        answer = await browser.get(path)
        for name, value in HEADERS.items():
            assert answer.headers.get(name) == value, (path, name)
        assert "Server" not in answer.headers
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_with_tls_before_it_cookies_are_secure_and_browsers_stay_with_tls(
    roles: Mapping[str, str], tmp_path: Path
) -> None:
    async with street_of(roles, tmp_path, url="https://portal.provider.example") as street:
        browser = street.browser()
        browser.url = street.url
        answer = await browser.post("/login", {"address": OFFICE}, Host="portal.provider.example")
        assert answer.status == 200
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-login=")
        for word in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/"):
            assert word in cookie
        assert "Domain" not in cookie


async def test_nothing_of_a_request_is_in_the_log(street: Street, capsys: pytest.CaptureFixture[str]) -> None:
    browser = await street.logged_in(OFFICE)
    await browser.send("/calls", caller="+32470111222")
    await browser.get("/calls/nothing-4711")
    told = capsys.readouterr()
    for word in (OFFICE, "470111222", browser.cookies["session"], "4711", "/login/"):
        assert word not in told.out + told.err
