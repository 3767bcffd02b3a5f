"""What an owner sees on each page."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from dialplan.number import LANGUAGES
from tests.store.calls import answered_call, call_id
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.portal import OFFICE, Street, street_of
from tests.store.sounds import record, voicemail_call

PAGES = ("/", "/calls", "/messages", "/recordings", "/numbers", "/accesses", "/data")
WITHHELD = "+32499999999"


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    """ACME has calls 1 to 4, recording 3, and message 4; call 5 is the bakery's."""
    async with street_of(roles, tmp_path) as found:
        house = found.house
        record_talk(house.spool.folder, 3, 2.0)
        record(house.spool.folder, 4)
        await house.drain(
            answered_call(1),
            answered_call(2, withheld=True, caller=""),
            recorded_call(3, days=36_500),
            voicemail_call(4),
            answered_call(5, owner="bakery", number="+3280012345"),
        )
        await house.seal()
        yield found


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_there_in_every_language(street: Street, language: str) -> None:
    browser = await street.logged_in(OFFICE)
    await browser.post("/language", {"language": language})
    paths = [*PAGES, f"/calls/{call_id(1)}", f"/calls/{call_id(4)}", f"/recordings/{recording_id(3)}"]
    for path in [*paths, f"/recordings/{recording_id(3)}/destroy"]:
        page = await browser.get(path)
        assert page.status == 200, path
        assert f'<html lang="{language}">' in page.text
        assert "<script" not in page.text
        assert "{" not in page.text.partition("<main")[2], path
