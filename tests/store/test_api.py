"""The API of owners' programs: the running server does what its document says."""

import json

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from portal.api import limit
from portal.api.operations import OPERATIONS, PREFIX
from tests.store.api import (
    accesses_of,
    ask,
    document,
    problem,
    token_for,
)
from tests.store.calls import answered_call, call_id
from tests.store.conversations import recording_id
from tests.store.portal import ACME, ACME_NUMBER, BAKERY, Street


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
