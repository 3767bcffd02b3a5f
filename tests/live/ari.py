"""Asking a running Asterisk without an engine: what it answers, and which calls it still holds."""

import json
from base64 import b64encode
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from devkit.asterisk import Endpoint
from tests.lateness import PATIENCE


def ask(endpoint: Endpoint, path: str, method: str = "GET") -> Any:
    """What ARI answers to `path`; raises HTTPError for anything but success. Needs no engine."""
    login = b64encode(f"{endpoint.ari_user}:{endpoint.ari_password}".encode()).decode()
    request = Request(endpoint.ari_url + path, headers={"Authorization": f"Basic {login}"}, method=method)  # noqa: S310 - our own http address
    with urlopen(request, timeout=PATIENCE) as reply:  # noqa: S310 - the same
        return json.loads(reply.read() or "null")


def left_in(endpoint: Endpoint) -> list[str]:
    """The channels that Asterisk holds, those a listing does not show (ghosts) among them."""
    channels = [channel["id"] for channel in ask(endpoint, "/channels")]
    ghosts = ask(endpoint, f"/applications/{endpoint.app}")["channel_ids"]
    return [*channels, *ghosts]


def hang_up_all(endpoint: Endpoint) -> None:
    """One test's fault must not become the next one's."""
    for channel in ask(endpoint, "/channels"):
        with suppress(HTTPError):  # it has gone by itself
            ask(endpoint, f"/channels/{channel['id']}", "DELETE")
