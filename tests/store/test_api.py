"""The API of owners' programs: the running server does what its document says, for one owner and no other."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from portal.api import limit
from portal.api.asked import Asked
from portal.api.operations import OPERATIONS, PREFIX, Operation
from storage import api_tokens
from storage.api_tokens import NewToken, Scope
from tests.store.calls import answered_call, call_id
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.portal import ACME, ACME_NUMBER, BAKERY, BAKERY_NUMBER, Answer, Browser, Street, street_of
from tests.store.sounds import audio_id, record, voicemail_call

BAKERYS: dict[str, Any] = {"owner": BAKERY, "number": BAKERY_NUMBER}
STATISTICS = "since=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z"
EVERY = frozenset(Scope)
READING = [operation for operation in OPERATIONS if operation.method == "GET"]


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    """ACME has call 1, recording 2, message 3 and a withheld call 4; the bakery has 11, 12, 13."""
    async with street_of(roles, tmp_path) as found:
        house = found.house
        for n in (2, 12):
            record_talk(house.spool.folder, n, 0.5)
        for n in (3, 13):
            record(house.spool.folder, n)
        acmes = (
            answered_call(1),
            recorded_call(2, days=36_500),
            voicemail_call(3),
            answered_call(4, caller="", withheld=True),
        )
        theirs = (
            answered_call(11, **BAKERYS),
            recorded_call(12, days=36_500, **BAKERYS),
            voicemail_call(13, **BAKERYS),
        )
        await house.drain(*acmes, *theirs)
        await house.seal()
        yield found


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


async def test_every_answer_of_the_running_server_is_what_the_document_says(street: Street) -> None:
    browser, token = street.browser(), await token_for(street, ACME)
    described = await document(browser)
    validate(described)
    assert sum(map(len, described["paths"].values())) == len(OPERATIONS)
    for operation in OPERATIONS:
        answer = await ask(street, operation, ACME_NUMBER, 1, token)
        assert answer.status == operation.status, (operation.name, answer.text)
        responses = described["paths"][operation.path][operation.method.lower()]["responses"]
        content = responses[str(answer.status)]["content"]
        media = answer.headers["Content-Type"].partition(";")[0]
        assert media in content
        if operation.answer:
            schema = {**content[media]["schema"], "components": described["components"]}
            Draft202012Validator(schema).validate(json.loads(answer.text))


async def test_errors_are_what_the_document_says_too(street: Street) -> None:
    browser = street.browser()
    schema = (await document(browser))["components"]["schemas"]["ProblemShape"]
    found = problem(await browser.get(f"{PREFIX}/calls?colour=red", **await token_for(street, ACME)), 400)
    Draft202012Validator({**schema, "components": (await document(browser))["components"]}).validate(found)
    assert found["errors"] == [{"name": "colour", "detail": "Extra inputs are not permitted"}]


async def test_the_ids_of_another_owner_lead_nowhere(street: Street) -> None:
    token = await token_for(street, ACME)
    tried = [operation for operation in OPERATIONS if operation.parameters]
    assert len(tried) == 9
    for operation in tried:
        problem(await ask(street, operation, BAKERY_NUMBER, 11, token), 404)
    assert await accesses_of(street, BAKERY) == []
    assert await changes_of(street, BAKERY) == []


async def test_lists_have_nothing_of_another_owner(street: Street) -> None:
    browser, token = street.browser(), await token_for(street, BAKERY)
    for operation in READING:
        if not operation.parameters:
            answer = await browser.get(path_of(operation, BAKERY_NUMBER, 11), **token)
            assert answer.status == 200
            for word in (*map(call_id, (1, 2, 3, 4)), "ACME", ACME_NUMBER):
                assert word not in answer.text, (operation.name, word)


async def test_row_level_security_holds_where_the_statements_ask_for_another_owner(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if every check of the application were wrong. Numbers are no rows: they come from the routing.

    Settings that are read are those of the operator's file: nothing of the database.
    """
    monkeypatch.setattr(Asked, "owner", property(lambda _: BAKERY))
    token = await token_for(street, ACME)
    for operation in OPERATIONS:
        if operation.scope is Scope.NUMBERS or operation.scope is None:
            continue
        answer = await ask(street, operation, BAKERY_NUMBER, 11, token)
        if operation.name in ("changeSettings", "putSwitch"):
            problem(answer, 503)  # PostgreSQL has refused the row
        elif operation.parameters:
            problem(answer, 404)
        else:
            found = json.loads(answer.text) if answer.status == 200 else {}
            assert found.get("items", []) == [], operation.name
            assert found.get("calls", 0) == 0
    assert await changes_of(street, BAKERY) == []


async def test_without_a_token_that_counts_there_is_nothing(street: Street) -> None:
    browser, token = street.browser(), await token_for(street, ACME)
    text = token["Authorization"]
    wrong = [
        "",
        "Basic YTpi",
        "Bearer",
        "Bearer callengine_x",
        text[:-1],
        text + "x",
        text.swapcase(),
        "Bearer " * 99,
    ]
    for operation in OPERATIONS:
        answer = await ask(street, operation, ACME_NUMBER, 1, {})
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        problem(answer, 401)
    for header in wrong:
        problem(await browser.get(f"{PREFIX}/calls", Authorization=header), 401)
    problem(await browser.get(f"{PREFIX}/nothing"), 401)
    assert await api_tokens.revoke(street.house.con, 1)
    problem(await browser.get(f"{PREFIX}/calls", **token), 401)


async def test_a_login_of_a_person_is_no_token_and_a_token_no_login(street: Street) -> None:
    browser = await street.logged_in("office@acme.example")
    problem(await browser.get(f"{PREFIX}/calls"), 401)
    other = await street.browser().get("/calls", **await token_for(street, ACME))
    assert (other.status, other.place) == (303, "/login")


async def test_a_token_reads_and_does_what_its_scopes_allow_and_no_more(street: Street) -> None:
    for scope in Scope:
        token = await token_for(street, ACME, frozenset({scope}))
        for operation in OPERATIONS:
            if operation.scope is scope is Scope.DESTROY_RECORDINGS:
                continue  # others need the recording
            answer = await ask(street, operation, ACME_NUMBER, 1, token)
            expected = operation.status if operation.scope in (None, scope) else 403
            assert answer.status == expected, (operation.name, scope)


async def test_pages_follow_each_other_and_have_each_call_once(street: Street) -> None:
    browser, token = street.browser(), await token_for(street, ACME)
    cursor, seen = "", []
    while True:
        page = json.loads((await browser.get(f"{PREFIX}/calls?limit=1{cursor}", **token)).text)
        seen += [call["call_id"] for call in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [call_id(n) for n in (4, 3, 2, 1)]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=1_x", "since=2026-11-24T10:00", "outcome=nice",
     "number=3270012345", "limit=1&limit=2", "caller=%2B32470111222", "withheld=perhaps"],
)  # fmt: skip
async def test_parameters_that_cannot_be_understood_are_named(street: Street, query: str) -> None:
    token = await token_for(street, ACME)
    found = problem(await street.browser().get(f"{PREFIX}/calls?{query}", **token), 400)
    assert [error["detail"] != "" for error in found["errors"]] == [True]
    assert query.partition("=")[2] not in json.dumps(found["errors"]) or len(query.partition("=")[2]) < 4


async def test_filters_choose_calls(street: Street) -> None:
    browser, token = street.browser(), await token_for(street, ACME)

    async def chosen(query: str) -> list[str]:
        page = json.loads((await browser.get(f"{PREFIX}/calls?{query}", **token)).text)
        return [call["call_id"][-1] for call in page["items"]]

    assert await chosen("outcome=voicemail") == ["3"]
    assert await chosen("withheld=true") == ["4"]
    assert await chosen("since=2026-11-24T12:00:02Z&until=2026-11-24T12:00:04Z") == ["3", "2"]
    assert await chosen("number=%2B3270012345") == ["4", "3", "2", "1"]
    assert await chosen("number=%2B3280012345") == []


async def test_a_withheld_caller_is_null(street: Street) -> None:
    answer = await street.browser().get(f"{PREFIX}/calls/{call_id(4)}", **await token_for(street, ACME))
    call = json.loads(answer.text)
    assert (call["caller"], call["withheld"]) == (None, True)


async def test_what_has_not_changed_is_not_sent_again(street: Street) -> None:
    browser, token = street.browser(), await token_for(street, ACME)
    first = await browser.get(f"{PREFIX}/calls", **token)
    again = await browser.get(f"{PREFIX}/calls", **token, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.text) == (304, "")
    await street.house.drain(answered_call(5))
    changed = await browser.get(f"{PREFIX}/calls", **token, **{"If-None-Match": first.headers["ETag"]})
    assert changed.status == 200


async def test_a_token_that_asks_too_often_has_to_wait(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit, "REQUESTS", 2)
    browser, token = street.browser(), await token_for(street, ACME)
    for _ in range(2):
        assert (await browser.get(f"{PREFIX}/owner", **token)).status == 200
    answer = await browser.get(f"{PREFIX}/owner", **token)
    problem(answer, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert (await browser.get(f"{PREFIX}/owner", **await token_for(street, BAKERY))).status == 200


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


async def test_the_owner_sees_what_a_token_has_read(street: Street) -> None:
    browser, token = street.browser(), await token_for(street, ACME)
    for _ in range(2):
        await browser.get(f"{PREFIX}/calls", **token)
    audio = await browser.get(f"{PREFIX}/recordings/{recording_id(2)}/audio?format=flac", **token)
    assert audio.data[:4] == b"fLaC"
    assert await accesses_of(street, ACME) == [
        ("export", "token crm", "calls by the API, token crm"),
        ("download", "token crm", recording_id(2)),
    ]
    await street.house.destroy_now(recording_id(2))
    problem(await browser.get(f"{PREFIX}/recordings/{recording_id(2)}/audio", **token), 404)


async def test_other_methods_hosts_and_addresses_are_refused(street: Street) -> None:
    browser, token = street.browser(), await token_for(street, ACME)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = await browser.ask(method, f"{PREFIX}/calls", headers=token, data=b"x" * 1000)
        problem(answer, 405)
        assert answer.headers["Allow"] == "GET, HEAD"
    answer = await browser.ask("POST", f"{PREFIX}/settings", headers=token)
    problem(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD, PATCH"
    problem(await browser.get(f"{PREFIX}/calls", **token, Host="evil.example"), 421)
    for path in (
        "/api",
        "/api/",
        "/api/v2/calls",
        f"{PREFIX}/calls/",
        f"{PREFIX}/calls/..",
        f"{PREFIX}/calls/1",
    ):
        problem(await browser.get(path, **token), 404)


async def test_the_database_away_is_said_as_such(street: Street) -> None:
    browser, token = street.browser(), await token_for(street, ACME)
    await street.services.pool.close()
    answer = await browser.get(f"{PREFIX}/calls", **token)
    problem(answer, 503)
    assert answer.headers["Retry-After"] == "30"
