"""The owner's settings in the API: those in force, and which of them the owner has changed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portal.api.operations import PREFIX
from storage.access import Actor
from storage.api_tokens import Scope
from storage.owned import settings
from storage.owned.settings import Change
from storage.owned.tenant import owned
from tests.store.api import token_for
from tests.store.portal import ACME, BAKERY, OFFICE, Street, street_of


async def test_settings_are_those_in_force_and_say_what_the_owner_has_changed(
    roles: Mapping[str, str], tmp_path: Path
) -> None:
    async with street_of(roles, tmp_path) as street:
        change, actor = Change({"language": "fr"}, {"language": "en"}, "a test"), Actor(OFFICE, "", "owner")
        async with owned(street.services.pool, ACME) as con, settings.alone(con, ACME):
            await settings.put(con, ACME, change, actor)
        await street.spread()
        acme, bakery = await read(street, ACME), await read(street, BAKERY)
    assert (acme["language"], acme["changed"], acme["mail"]) == ("fr", ["language"], [OFFICE])
    assert (acme["keep_seconds"], acme["anonymise_seconds"]) == (30 * 24 * 3600, None)
    assert (bakery["language"], bakery["changed"]) == ("nl", [])


async def read(street: Street, owner: str) -> dict[str, Any]:
    token = await token_for(street, owner, frozenset({Scope.SETTINGS}))
    answer = await street.browser().get(f"{PREFIX}/settings", **token)
    found: dict[str, Any] = json.loads(answer.text)
    return found
