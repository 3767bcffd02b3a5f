"""What needs no login: the ways in, and the two files that pages refer to."""

from importlib import resources

from aiohttp import web

from portal import addresses, login, passkey_login

STATIC = resources.files("portal") / "static"
FILES = {
    "portal.css": ("text/css", (STATIC / "portal.css").read_bytes()),
    "passkey.js": ("text/javascript", (STATIC / "passkey.js").read_bytes()),
}


async def static(request: web.Request) -> web.StreamResponse:
    kind, data = FILES[request.match_info["file"]]
    headers = {"Cache-Control": "public, max-age=3600"}
    return web.Response(body=data, content_type=kind, charset="utf-8", headers=headers)


ROUTES = (
    *login.PUBLIC_ROUTES,
    *passkey_login.PUBLIC_ROUTES,
    *addresses.PUBLIC_ROUTES,
    web.get("/{file:portal\\.css|passkey\\.js}", static, name="static"),
)
