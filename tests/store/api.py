"""Programs of two owners that use the API of a portal: their tokens, requests, and what these did."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from portal.api.operations import OPERATIONS, PREFIX, Operation
from storage import api_tokens
from storage.api_tokens import NewToken, Scope
from tests.store.calls import call_id
from tests.store.conversations import recording_id
from tests.store.portal import Answer, Browser, Street
from tests.store.sounds import audio_id

STATISTICS = "since=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z"
EVERY = frozenset(Scope)
READING = [operation for operation in OPERATIONS if operation.method == "GET"]


async def token_for(street: Street, owner: str, scopes: frozenset[Scope] = EVERY) -> dict[str, str]:
    """The header of a program with a token."""
    token = await api_tokens.create(street.house.con, street.services.tokens, NewToken(owner, "crm", scopes))
    return {"Authorization": f"Bearer {token}"}


def path_of(operation: Operation, number: str, n: int) -> str:
    """Its path with ids of an owner: call n, recording n + 1, message n + 2."""
    ids = {
        "call_id": call_id(n),
        "recording_id": recording_id(n + 1),
        "message_id": audio_id(n + 2),
        "number": number.removeprefix("+"),
    }
    path = PREFIX + operation.path.format(**ids, switch="strike")
    return f"{path}?{STATISTICS}" if operation.name == "getStatistics" else path


async def ask(street: Street, operation: Operation, number: str, n: int, token: Mapping[str, str]) -> Answer:
    """Perform an operation on ids of an owner, with a body that it accepts."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    bodies = {"changeSettings": {"language": "fr"}, "putSwitch": {"until": until}, "sendMessage": {}}
    headers = {**token, **({"If-Match": "*"} if operation.conditional else {})}
    return await street.browser().ask(
        operation.method, path_of(operation, number, n), headers=headers, json=bodies.get(operation.name)
    )


def problem(answer: Answer, status: int) -> dict[str, Any]:
    """The error, which is one of RFC 9457."""
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    body: dict[str, Any] = json.loads(answer.text)
    assert body["status"] == status
    return body


async def document(browser: Browser) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((await browser.get(f"{PREFIX}/openapi.json")).text)
    return described


async def accesses_of(street: Street, owner: str) -> list[tuple[str, str, str]]:
    lines = (
        "SELECT what, operator, coalesce(audio_id, detail) AS of FROM access WHERE owner = $1 ORDER BY seq"
    )
    rows = await street.house.con.fetch(lines, owner)
    return [(row["what"], row["operator"], row["of"]) for row in rows]


async def changes_of(street: Street, owner: str) -> list[str]:
    """What was changed, sent, or destroyed of this owner."""
    done = (
        "SELECT setting FROM owner_change WHERE owner = $1 UNION ALL "
        "SELECT name FROM owner_switch WHERE owner = $1 UNION ALL "
        "SELECT audio_id FROM audio WHERE owner = $1 AND (destroy_after <= now() OR reason = 'owner')"
    )
    return [row[0] for row in await street.house.con.fetch(done, owner)]
