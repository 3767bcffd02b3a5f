"""What a program may change by the API: settings, messages, recordings, switches."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailer.overview import MOST_BY_OWNER
from portal.api.operations import PREFIX
from storage import message_states
from storage.owned.switches import MOST
from tests.store.api import accesses_of, problem, token_for
from tests.store.conftest import execute
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.portal import ACME, OFFICE, OVEN, Answer, Browser, Street, street_of
from tests.store.sounds import audio_id, record, voicemail_call
from tests.store.test_portal_messages import CONFIRMED, DESK, OPEN, REFUSED
from tests.store.test_portal_switches import MANY, engines

RECORDING, MESSAGE = recording_id(2), audio_id(4)
SWITCH = f"{PREFIX}/numbers/3270012345/switches/strike"
DAY = 24 * 3600


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    """ACME has recording 2, message 4 that nobody takes, and a second address."""
    async with street_of(roles, tmp_path) as found:
        record_talk(found.house.spool.folder, 2, 0.5)
        record(found.house.spool.folder, 4)
        await found.house.drain(recorded_call(2, days=36_500), voicemail_call(4))
        await found.house.seal()
        con = found.house.con
        await con.execute(REFUSED)
        assert await message_states.undeliverable(con, MESSAGE, bounced=False)
        await con.execute("UPDATE audio SET destroy_after = now() + interval '30 days', reason = 'deadline'")
        await execute(roles["superuser"], CONFIRMED)
        await found.spread()
        yield found


class Program:
    """A program with a token of ACME."""

    def __init__(self, browser: Browser, token: Mapping[str, str]) -> None:
        self.browser = browser
        self.token = token

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        kwargs = {} if body is None else {"json": body}
        return await self.browser.ask(method, path, headers={**self.token, **headers}, **kwargs)

    async def change(self, **settings: Any) -> Answer:
        """Read the settings, and change these."""
        read = await self.ask("GET", f"{PREFIX}/settings")
        return await self.ask("PATCH", f"{PREFIX}/settings", settings, **{"If-Match": read.headers["ETag"]})


@pytest.fixture
async def program(street: Street) -> Program:
    return Program(street.browser(), await token_for(street, ACME))


async def test_a_setting_is_changed_in_force_and_in_the_access_log(street: Street, program: Program) -> None:
    answer = await program.change(language="fr", name="Cabinet ACME")
    assert answer.status == 200, answer.text
    found = json.loads(answer.text)
    assert (found["language"], found["name"], found["changed"]) == (
        "fr",
        "Cabinet ACME",
        ["language", "mail", "name"],
    )
    again = await program.ask("GET", f"{PREFIX}/settings")
    assert (again.text, again.headers["ETag"]) == (answer.text, answer.headers["ETag"])
    await street.spread()
    owner = street.services.routing.owner(ACME)
    assert owner
    assert (owner.language, owner.name) == ("fr", "Cabinet ACME")
    (line,) = await accesses_of(street, ACME)
    assert line[:2] == ("change", "token crm")
    assert "language: en -> fr" in line[2]


async def test_a_change_of_settings_that_were_changed_meanwhile_is_refused(program: Program) -> None:
    tag = (await program.ask("GET", f"{PREFIX}/settings")).headers["ETag"]
    assert (await program.change(language="fr")).status == 200
    late = await program.ask("PATCH", f"{PREFIX}/settings", {"language": "de"}, **{"If-Match": tag})
    problem(late, 412)
    problem(await program.ask("PATCH", f"{PREFIX}/settings", {"language": "de"}), 428)
    found = json.loads((await program.ask("GET", f"{PREFIX}/settings")).text)
    assert found["language"] == "fr"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"language": "it"}, "language"),
        ({"language": None}, "language"),
        ({"name": ""}, "name"),
        ({"name": "x" * 301}, "name"),
        ({"audio": "flac"}, "audio"),
        ({"missed_calls": "sms"}, "missed_calls"),
        ({"keep_seconds": 5000}, "keep_seconds"),
        ({"keep_seconds": 1e9}, "keep_seconds"),
        ({"keep_seconds": -3600}, "keep_seconds"),
        ({"mail": [OVEN]}, "mail"),
        ({"require_tls": True}, "require_tls"),
        ([], ""),
    ],
)
async def test_what_the_page_refuses_the_api_refuses_and_names(
    program: Program, body: Any, name: str
) -> None:
    tag = (await program.ask("GET", f"{PREFIX}/settings")).headers["ETag"]
    answer = await program.ask("PATCH", f"{PREFIX}/settings", body, **{"If-Match": tag})
    assert [one["name"] for one in problem(answer, 400)["errors"]] == [name]
    assert (await program.ask("GET", f"{PREFIX}/settings")).headers["ETag"] == tag


async def test_a_shorter_retention_says_what_it_destroys_and_wants_a_confirmation(
    street: Street, program: Program
) -> None:
    await street.house.con.execute("UPDATE recording SET ended = now() - interval '3 days'")
    found = problem(await program.change(keep_seconds=2 * DAY), 409)
    assert (found["destroyed_now"], found["destroyed_earlier"]) == (1, 0)
    problem(await program.change(keep_seconds=2 * DAY, confirm_keep_seconds=DAY), 409)
    assert await street.house.con.fetchval("SELECT count(*) FROM owner_change WHERE setting <> 'mail'") == 0
    answer = await program.change(keep_seconds=2 * DAY, confirm_keep_seconds=2 * DAY)
    assert (answer.status, json.loads(answer.text)["keep_seconds"]) == (200, 2 * DAY)
    longer = await program.change(keep_seconds=3 * DAY)
    assert json.loads(longer.text)["keep_seconds"] == 3 * DAY


async def test_a_message_is_sent_again_and_to_another_confirmed_address(
    street: Street, program: Program
) -> None:
    path = f"{PREFIX}/messages/{MESSAGE}/send"
    for to in (OVEN, "x", "stranger@evil.example"):
        found = problem(await program.ask("POST", path, {"to": to}), 400)
        assert to not in json.dumps(found) or to == "x"
    assert await street.house.con.fetch(OPEN) == []
    answer = await program.ask("POST", path, {"to": DESK})
    assert (answer.status, json.loads(answer.text)["state"]) == (202, "waiting")
    assert [row[0] for row in await street.house.con.fetch(OPEN)] == [DESK]
    problem(await program.ask("POST", path, {"to": DESK}), 409)
    assert await accesses_of(street, ACME) == [("retry", "token crm", MESSAGE)]
    for _ in range(MOST_BY_OWNER - 1):
        assert (await program.ask("POST", path, {})).status == 202
    problem(await program.ask("POST", path, {}), 409)


async def test_a_recording_is_destroyed_once_unless_it_is_held(street: Street, program: Program) -> None:
    path = f"{PREFIX}/recordings/{RECORDING}"
    await street.house.con.execute("UPDATE audio SET hold = 'case 1' WHERE audio_id = $1", RECORDING)
    problem(await program.ask("DELETE", path), 409)
    await street.house.con.execute("UPDATE audio SET hold = NULL")
    answer = await program.ask("DELETE", path)
    assert (answer.status, json.loads(answer.text)["recording_id"]) == (202, RECORDING)
    assert await street.house.destroy() == 1
    problem(await program.ask("DELETE", path), 409)
    problem(await program.ask("GET", f"{path}/audio"), 404)
    assert json.loads((await program.ask("GET", path)).text)["reason"] == "owner"
    assert ("destroy", "token crm", RECORDING) in await accesses_of(street, ACME)


async def test_a_switch_is_put_on_until_a_moment_and_off(street: Street, program: Program) -> None:
    until = datetime.now(UTC) + timedelta(hours=2)
    listed = f"{PREFIX}/numbers/3270012345/switches"
    assert json.loads((await program.ask("GET", listed)).text)["items"] == [{"name": "strike", "until": None}]
    assert (await program.ask("PUT", SWITCH, {"until": until.isoformat()})).status == 200
    (item,) = json.loads((await program.ask("GET", listed)).text)["items"]
    assert datetime.fromisoformat(item["until"]) == until
    await street.spread()
    assert engines(street) == ("strike",)
    assert (await program.ask("PUT", SWITCH, {"until": None})).status == 200
    await street.spread()
    assert engines(street) == ()
    assert [line[:2] for line in await accesses_of(street, ACME)] == [("change", "token crm")] * 2


@pytest.mark.parametrize(
    "until", ["2026-11-01T10:00:00Z", "2999-01-01T00:00:00Z", "2026-12-01T10:00", "soon", 5]
)
async def test_a_switch_ends_within_a_month(street: Street, program: Program, until: object) -> None:
    problem(await program.ask("PUT", SWITCH, {"until": until}), 400)
    problem(await program.ask("PUT", SWITCH, {}), 400)
    assert await street.house.con.fetchval("SELECT count(*) FROM owner_switch") == 0


async def test_switches_are_put_some_times_a_day(
    street: Street, program: Program, roles: Mapping[str, str]
) -> None:
    await execute(roles["superuser"], MANY.format(many=MOST))
    problem(await program.ask("PUT", SWITCH, {"until": None}), 429)
    problem(await program.ask("PUT", SWITCH.replace("strike", "flood"), {"until": None}), 404)


async def test_bodies_that_cannot_be_read_are_refused(
    street: Street, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = f"{PREFIX}/messages/{MESSAGE}/send"

    async def status(data: bytes, kind: str = "application/json") -> int:
        headers = {**program.token, "Content-Type": kind}
        return (await program.browser.ask("POST", send, headers=headers, data=data)).status

    assert await status(b"to=desk", "application/x-www-form-urlencoded") == 415
    assert await status(b"{}", "text/plain") == 415
    assert await status(b"{" + b" " * 100_000) == 413
    for data in (b"", b"{", b"[" * 5000, b"\xff", b'{"to": 1}', b'{"cc": null}', b"null"):
        assert await status(data) == 400, data[:10]
    assert await street.house.con.fetch(OPEN) == []
    monkeypatch.setattr("portal.api.bodies.BODY_SECONDS", 0.3)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        while True:
            await asyncio.sleep(0.1)
            yield b" "

    kind = {**program.token, "Content-Type": "application/json"}
    assert (await program.browser.ask("POST", send, headers=kind, data=never())).status == 408


async def test_a_login_changes_nothing_by_the_api_and_a_token_nothing_in_the_pages(
    street: Street, program: Program
) -> None:
    browser = await street.logged_in(OFFICE)
    problem(await browser.ask("DELETE", f"{PREFIX}/recordings/{RECORDING}"), 401)
    place = f"/recordings/{RECORDING}/destroy"
    answer = await program.browser.post(place, {"sure": RECORDING}, **program.token)
    assert (answer.status, answer.place) == (303, "/login")
    assert await street.house.destroy() == 0
