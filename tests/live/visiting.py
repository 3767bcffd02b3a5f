"""A visit to the owners' portal of a `callengine dev`: log in by the mail that arrives, read a page."""

import re
import time
from collections.abc import Mapping
from http.cookiejar import CookieJar
from json import load
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

SECONDS = 30.0


class Visit:
    """A browser without a window, logged in for this address. `where`: endpoints.json."""

    def __init__(self, where: Mapping[str, Any], address: str) -> None:
        self._portal, self._mailbox = where["portal"], where["mailbox"]
        self._jar = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._jar))
        self.read("/login", address=address)
        button = self.read(self._link())
        fields = dict(re.findall(r'name="(link|owner)" value="([^"]*)"', button))
        self.first = self.read("/login/use", **fields)

    @property
    def cookies(self) -> dict[str, str]:
        """What another browser needs to be logged in too."""
        return {cookie.name: cookie.value or "" for cookie in self._jar}

    def read(self, path: str, **fields: str) -> str:
        """A page; with fields, the answer to its form."""
        data = urlencode(fields).encode() if fields else None
        with self._opener.open(Request(self._portal + path, data), timeout=SECONDS) as reply:  # noqa: S310 - our own
            text: str = reply.read().decode()
        return text

    def has(self, path: str, pattern: str) -> re.Match[str]:
        """Once the page matches."""
        deadline = time.monotonic() + SECONDS
        while not (match := re.search(pattern, self.read(path))):
            assert time.monotonic() < deadline, f"{path} has no {pattern}"
            time.sleep(0.05)
        return match

    def _link(self) -> str:
        """The link of the mail that has one."""
        deadline = time.monotonic() + SECONDS
        while True:
            with urlopen(f"{self._mailbox}/messages", timeout=SECONDS) as reply:  # noqa: S310 - our own http address
                mails = load(reply)
            for mail in mails[::-1]:
                with urlopen(self._mailbox + mail["raw"], timeout=SECONDS) as reply:  # noqa: S310 - our own http address
                    text = reply.read().decode().replace("\r", "").replace("=\n", "")
                if found := re.search(r"/login/[A-Za-z0-9_-]{43}", text):
                    return found[0]
            assert time.monotonic() < deadline, "no link has arrived"
            time.sleep(0.05)
