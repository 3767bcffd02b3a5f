"""A portal of two owners, each with a call, a recorded call and a message: for its pages and its API."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.store.calls import answered_call
from tests.store.conversations import record_talk, recorded_call
from tests.store.portal import BAKERY, BAKERY_NUMBER, Street, street_of
from tests.store.sounds import record, voicemail_call

BAKERYS: dict[str, Any] = {"owner": BAKERY, "number": BAKERY_NUMBER}


@asynccontextmanager
async def two_owners(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
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
