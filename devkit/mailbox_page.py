"""The mailbox in a browser: mails with TLS level and attachments; and the same as JSON, for tests.

Mails contain text of strangers: all of it is escaped, and HTML parts are shown in a sandboxed frame.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from devkit.mailbox import PLAIN, Mail, Mailbox

# Should anything get past the escaping, it can neither load nor run anything.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; frame-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Window:
    """The pages of one mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def application(self) -> web.Application:
        number = "{number:[0-9]{1,9}}"
        application = web.Application()
        application.add_routes(
            [
                web.get("/", self.list),
                web.get("/ready", ready),
                web.get("/messages", self.messages),
                web.get(f"/messages/{number}", self.raw),
                web.get(f"/messages/{number}/{{index:[0-9]{{1,3}}}}", self.attachment),
                web.get(f"/{number}", self.show),
            ]
        )
        application.on_response_prepare.append(guard)
        return application

    async def list(self, _request: web.Request) -> web.Response:
        return page("mailbox.html", mails=self._mailbox.mails[::-1], mail=None)

    async def show(self, request: web.Request) -> web.Response:
        mail = look_up(self._mailbox.mail, request)
        message = self._mailbox.message(mail.number)
        headers = [(name, str(value)) for name, value in message.items()]
        text, html = body(message, "plain"), body(message, "html")
        return page("mailbox.html", mails=(), mail=mail, headers=headers, text=text, html=html)

    async def messages(self, _request: web.Request) -> web.Response:
        """Every mail, oldest first: the fields of devkit.mailbox.Mail, and the addresses of its parts."""
        return web.json_response([as_json(mail) for mail in self._mailbox.mails])

    async def raw(self, request: web.Request) -> web.Response:
        return web.Response(body=look_up(self._mailbox.raw, request), content_type="text/plain")

    async def attachment(self, request: web.Request) -> web.Response:
        index = int(request.match_info["index"])
        attachment, data = look_up(lambda number: self._mailbox.attachment(number, index), request)
        # Only audio has its own media type: a browser must not show an attachment as a page of ours.
        kind = attachment.kind if attachment.kind.startswith("audio/") else "application/octet-stream"
        return part_of(data, kind, request)


def look_up[T](find: Callable[[int], T], request: web.Request) -> T:
    """The result of `find` for the number in the path. Raises HTTPNotFound."""
    try:
        return find(int(request.match_info["number"]))
    except KeyError:
        raise web.HTTPNotFound(text="there is no such mail, or no such part of it\n") from None


def part_of(data: bytes, kind: str, request: web.Request) -> web.Response:
    """The data, or the requested range: browsers need ranges to seek in audio."""
    try:
        wanted = request.http_range
    except ValueError:
        raise web.HTTPRequestRangeNotSatisfiable from None
    start, stop, _ = wanted.indices(len(data))
    headers = {"Accept-Ranges": "bytes"}
    if wanted == slice(None, None, 1) or start >= stop:
        return web.Response(body=data, content_type=kind, headers=headers)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return web.Response(status=206, body=data[start:stop], content_type=kind, headers=headers)


def as_json(mail: Mail) -> Mapping[str, Any]:
    parts = [
        {**asdict(part), "href": f"/messages/{mail.number}/{index}"}
        for index, part in enumerate(mail.attachments)
    ]
    return {**asdict(mail), "attachments": parts, "raw": f"/messages/{mail.number}"}


def body(message: EmailMessage, kind: str) -> str:
    """The mail's text part of this kind, empty if there is none."""
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part is not None else ""


def page(template: str, **values: Any) -> web.Response:
    text = PAGES.get_template(template).render(values)
    return web.Response(text=text, content_type="text/html")


def clock(at: str) -> str:
    """The instant in this machine's time zone."""
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


PAGES.filters["clock"] = clock
PAGES.globals["PLAIN"] = PLAIN


async def ready(_request: web.Request) -> web.Response:
    return web.Response(text="ready\n")


async def guard(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


@asynccontextmanager
async def showing(mailbox: Mailbox, host: str, port: int) -> AsyncIterator[str]:
    """Serve the pages while the block runs; yield their address."""
    runner = web.AppRunner(Window(mailbox).application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound_host, bound_port, *_ = runner.addresses[0]
        yield f"http://{bound_host}:{bound_port}"
    finally:
        await runner.cleanup()
