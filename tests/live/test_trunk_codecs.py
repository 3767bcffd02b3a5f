"""Calls in G.722 and Opus, to a destination that has A-law only: Asterisk converts both ways.

baresip of Debian's archive at both ends, as in test_trunk_transports.py.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.live.agreed import new_destination
from tests.live.baresip_telephone import Wanted, telephone
from tests.live.carriers import Trunking, trunking
from tests.live.service import CALLER_HZ, DESTINATION_HZ, Watched, until, watching
from tests.live.test_trunk_transports import talk
from tests.tiers import heavy

pytestmark = heavy
NAMES = {"g722": "G722", "opus": "opus", "alaw": "PCMA"}  # of the telephone


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunking]:
    with trunking(tmp_path_factory.mktemp("codecs")) as running:
        yield running


@pytest.fixture
async def watched(carriers: Trunking) -> AsyncIterator[Watched]:
    async with watching(carriers.house) as seen:
        yield seen


@pytest.mark.parametrize(
    ("of_caller", "of_destination"), [("g722", "alaw"), ("opus", "alaw"), ("alaw", "g722")]
)
async def test_both_hear_each_other_though_they_have_different_codecs(
    carriers: Trunking, watched: Watched, tmp_path: Path, of_caller: str, of_destination: str
) -> None:
    (number,) = carriers.house.agree([{"ring": (to := new_destination())}])
    caller_wants = Wanted(CALLER_HZ, codecs=NAMES[of_caller])
    destination_wants = Wanted(DESTINATION_HZ, codecs=NAMES[of_destination], answers=True)
    async with (
        telephone(tmp_path / "caller", caller_wants) as caller,
        telephone(tmp_path / "to", destination_wants) as destination,
    ):
        codecs = ["g722", "opus", "alaw"]
        trunk = {"host": destination.address, "codecs": codecs, "qualify_seconds": 0}
        await carriers.have(trunk=trunk)
        await until(lambda: all(codec in endpoint(carriers) for codec in codecs))
        await talk(caller, destination, carriers.uri(number))
    record = await watched.record(number)
    assert (record.outcome, record.delivered_to) == ("answered", to)


def endpoint(carriers: Trunking) -> str:
    """What Asterisk has of an endpoint of incoming calls."""
    running = carriers.house.asterisk.running
    assert running is not None
    return running.cli("pjsip show endpoint from0")
