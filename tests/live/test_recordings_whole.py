"""A call that is announced, recorded, sealed, fetched, held against what was said, and destroyed."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devkit.carrier import Answers, carrier
from devkit.demo_routing import OFFICE, OPEN, TELEPHONES, write_routing
from devkit.handset import Handset
from devkit.phones import phones, shown
from devkit.ports import reserve_ports
from tests.lateness import late
from tests.live.test_dev import CALLER, Dev, eventually, records, running_dev
from tests.live.test_recordings_kept import is_state, listed, said
from tests.store.conversations import heard, usual_level_at
from tests.store.sounds import RATE

# Hz: the caller, and the office's telephone. A-law adds lines to a tone, at multiples of the greatest common
# divisor of it and 8000: of neither of these where the other one is.
SAYS, HEARS = 880, 1000


@pytest.fixture
def routing(tmp_path: Path) -> Path:
    write_routing(tmp_path / "routing", datetime.now(UTC).date())
    (number,) = [file for file in (tmp_path / "routing/numbers").glob("*.yaml") if OPEN in file.read_text()]
    number.write_text(number.read_text().replace("route:", "record: announce\nroute:", 1))
    return tmp_path / "routing"


async def talk(dev: Dev, port: int, seconds: float) -> None:
    """A call to the open number; both say their tones for so long."""
    office = {OFFICE: Answers(after=1, says=(HEARS,))}
    async with phones() as telephones, carrier(telephones, TELEPHONES | office, port=port) as network:
        caller: Handset = await telephones.dial(OPEN, dev.endpoints()["sip"], shown(CALLER), says=(SAYS,))
        destination = await network.picked_up(OFFICE)
        await destination.hears(SAYS)
        await asyncio.sleep(seconds)  # so long they talk
        await caller.hang_up()
        await destination.wait_ended()


async def test_a_recorded_call_is_what_was_said_and_then_is_not(routing: Path, tmp_path: Path) -> None:
    with (
        reserve_ports(1) as (port,),
        running_dev(routing, tmp_path / "state", "--carrier", f"127.0.0.1:{port}") as dev,
    ):
        await talk(dev, port, 4)
        (call,) = await records(dev.endpoints()["database"], 1)
        audio_id = call["recording_id"]
        assert await asyncio.to_thread(eventually, is_state(dev, audio_id, "stored"))
        it = (await asyncio.to_thread(listed, dev))[audio_id]
        assert (it["one_way"], it["silent"], it["clipping"]) == (None, False, False)
        assert it["seconds"] == pytest.approx(float(call["talk_seconds"]), abs=0.3 + late().total_seconds())
        assert it["evidence"]["notice"]["result"] == "heard"
        file = tmp_path / "fetched"
        await asyncio.to_thread(said, dev, "fetch", audio_id, "--output", str(file))
        left, right = heard(file.read_bytes())[RATE:-RATE].T  # between click and clack of their beginnings
        assert usual_level_at(left, SAYS) - usual_level_at(left, HEARS) > 60
        assert usual_level_at(right, HEARS) - usual_level_at(right, SAYS) > 60
        await asyncio.to_thread(said, dev, "destroy", audio_id)
        assert await asyncio.to_thread(eventually, is_state(dev, audio_id, "destroyed"))
        assert not list((dev.state / "asterisk").rglob("*-rec1*"))
        assert [path for path in (dev.state / "objects").rglob("*") if path.is_file()] == []
