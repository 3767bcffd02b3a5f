"""The API of owners' programs: nothing of another owner, and a token may do only what its scopes say."""

import json

import pytest

from portal.api.asked import Asked
from portal.api.operations import OPERATIONS, PREFIX
from storage import api_tokens
from storage.api_tokens import Scope
from tests.store.api import (
    READING,
    accesses_of,
    ask,
    changes_of,
    path_of,
    problem,
    token_for,
)
from tests.store.calls import call_id
from tests.store.portal import ACME, ACME_NUMBER, BAKERY, BAKERY_NUMBER, Street


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
