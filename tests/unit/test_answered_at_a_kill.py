"""An engine answers a caller and is killed before it has journalled that: CEL has the instant."""

import pytest
from msgspec.structs import replace

from journal.entries import BY_ENGINE, Answered
from tests.unit.fake_services import leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.test_voicemail import end, services_of

pytestmark = pytest.mark.looptime


async def test_who_was_answered_as_the_engine_died_is_answered_by_the_voicemail_and_not_again() -> None:
    line, services = FakeLine(), services_of()
    await leave_after(1, line, services)
    services.entries = [
        replace(entry, to=BY_ENGINE) if isinstance(entry, Answered) else entry for entry in services.entries
    ]
    await take_over(line, services)
    by_cel, by_engine = services.of(Answered)
    assert (by_cel.at, by_cel.to) == (by_engine.at, BY_ENGINE)
    assert by_engine.to == "voicemail"
    assert end(services)[0] == "voicemail"
