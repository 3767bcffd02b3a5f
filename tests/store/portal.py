"""A portal in this process, with two owners; a browser that visits it; the mailbox that its links reach."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from config.copies import content_digest
from config.owner_changes import FILE
from config.settings import Settings
from config.switches import FILE as SWITCHES
from config.versions import Versions
from devkit.ports import reserve_ports
from portal.opening import opened
from portal.server import serving
from portal.services import Services
from storage.key_wrapper import KeyWrapper, new_master_key
from tests.lateness import PATIENCE
from tests.store.keeping import House
from tests.store.smtp import MailServer, mail_server
from worker.owner_changes import OwnerChangesFile
from worker.owner_switches import OwnerSwitches

ACME, BAKERY = "acme", "bakery"
OFFICE, OVEN = "office@acme.example", "oven@bakery.example"
ACME_NUMBER, BAKERY_NUMBER = "+3270012345", "+3280012345"
OWNERS = {
    ACME: f"name: ACME Dentists\nlanguage: en\nmail: {OFFICE}\n",
    BAKERY: f"name: Bakery Peeters\nlanguage: nl\nmail: [{OVEN}, second@bakery.example]\n",
}
NUMBER = """
number: "{number}"
owner: {owner}
label: {label}
timezone: Europe/Brussels
holidays: BE
route:
  - hours:
      open: mon-fri 09:00-17:00
      closed:
        - voicemail: {{}}
  - switch:
      strike:
        - hangup: busy
  - ring: {{to: [+32470111222], seconds: 20}}
"""
NUMBERS = {ACME: (ACME_NUMBER, "Main line"), BAKERY: (BAKERY_NUMBER, "Orders")}


def write_routing(state: Path, owners: Mapping[str, str] = OWNERS) -> str:
    """Put a routing of these owners into force, as the engine does; return its digest."""
    folder = state / "routing"
    for part in ("owners", "numbers"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, text in owners.items():
        (folder / "owners" / f"{name}.yaml").write_text(text)
        number, label = NUMBERS[name]
        written = NUMBER.format(number=number, owner=name, label=label)
        (folder / "numbers" / f"{name}.yaml").write_text(written)
    versions, digest = Versions(state / "routing-versions"), content_digest(folder)
    versions.store(folder, digest)
    versions.enter(digest, (), datetime.now(UTC))
    return digest


@dataclass
class Answer:
    """What the browser got."""

    status: int
    text: str
    headers: Mapping[str, str]
    data: bytes = b""

    @property
    def place(self) -> str:
        return self.headers.get("Location", "")


@dataclass
class Browser:
    """One browser, with its own cookies. It follows no redirect by itself."""

    url: str
    session: aiohttp.ClientSession
    answers: list[Answer] = field(default_factory=list)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, headers=headers)

    async def post(self, path: str, fields: Mapping[str, str] | None = None, **headers: str) -> Answer:
        return await self.ask("POST", path, data=fields or {}, headers=headers)

    async def send(self, path: str, **fields: str) -> Answer:
        """A form of a page that is open: with its token."""
        token = re.search('name="token" value="([0-9a-f]+)"', (await self.get("/calls")).text)
        assert token
        return await self.post(path, {"token": token[1], **fields})

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        kwargs = {"allow_redirects": False, **more}
        async with self.session.request(method, f"{self.url}{path}", **kwargs) as reply:
            data = await reply.read()
            answer = Answer(reply.status, data.decode("utf-8", "replace"), reply.headers, data)
        self.answers.append(answer)
        return answer

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.session.cookie_jar}


@dataclass
class Street:
    """The portal with everything around it. `house` stores calls and audio, as the worker does."""

    services: Services
    url: str
    mail: MailServer
    house: House
    state: Path
    browsers: list[Browser] = field(default_factory=list)

    def browser(self) -> Browser:
        jar = aiohttp.CookieJar(unsafe=True)
        browser = Browser(self.url, aiohttp.ClientSession(cookie_jar=jar))
        self.browsers.append(browser)
        return browser

    async def spread(self) -> None:
        """What worker and portal do within seconds: owners' changes come into force."""
        await OwnerSwitches(self.state / SWITCHES).look(self.house.con)
        await OwnerChangesFile(self.state / FILE).look(self.house.con)
        await self.services.routing.look()

    async def link(self, browser: Browser, address: str) -> str:
        """Ask for a link; return its path as the mail has it."""
        before = len(self.mail.mails)
        assert (await browser.post("/login", {"address": address})).status == 200
        await self.mail.has(before + 1, PATIENCE)
        found = re.search(rf"{self.url}(/login/[A-Za-z0-9_-]{{43}})", body_of(self.mail.mails[-1].content))
        assert found
        return found[1]

    async def logged_in(self, address: str) -> Browser:
        """A browser that has logged in, by a mail."""
        browser = self.browser()
        page = await browser.get(await self.link(browser, address))
        answer = await browser.post("/login/use", fields_of(page.text))
        assert (answer.status, answer.place) == (303, "/")
        return browser


def body_of(content: bytes) -> str:
    mail = message_from_bytes(content, policy=policy.default)
    return str(mail.get_content())


def fields_of(page: str) -> dict[str, str]:
    """The fields of the login page's form, as its button sends them."""
    found = re.findall(r'name="(link|owner)" value="([^"]*)"', page)
    return dict(reversed(found))


@asynccontextmanager
async def street_of(
    roles: Mapping[str, str], folder: Path, name: str = "127.0.0.1", **portal: Any
) -> AsyncIterator[Street]:
    """The portal on a free port, with its own database role; its mails arrive here. `name`: of its host."""
    state, key = folder / "state", new_master_key()
    state.mkdir(exist_ok=True)
    write_routing(state)
    async with mail_server() as mail:
        with reserve_ports(1) as ports:
            url = f"http://{name}:{ports[0]}"  # where it is; settings may say another, as behind a proxy
            settings = Settings(
                state=state,
                master_key=key,
                objects={"directory": folder / "objects"},
                mail={"sender": "portal@provider.example", "smarthost": "localhost", "port": mail.port},
                portal={"url": url, "port": ports[0], "database": roles["portal"]} | portal,
            )
            con = await asyncpg.connect(roles["worker"])
            async with opened(settings) as services, serving(services):
                await services.routing.look()
                house = House(con, folder, key_wrapper=KeyWrapper(key))
                street = Street(services, url, mail, house, state)
                try:
                    yield street
                finally:
                    for browser in street.browsers:
                        await browser.session.close()
                    await con.close()
