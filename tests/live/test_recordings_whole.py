"""A call that is announced, recorded, sealed, fetched, held against what was said, and destroyed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.lateness import late
from tests.live.recorded import CALLER_HZ, DESTINATION_HZ, recorded
from tests.live.service import House, Service, until
from tests.live.sinks import callengine
from tests.store.conversations import usual_level_at
from tests.store.sounds import RATE


async def listed(house: House, audio_id: str) -> Mapping[str, Any]:
    """What `callengine recordings list` says of it."""
    told = json.loads(await callengine(house, "recordings", "list", "--format", "json"))
    (entry,) = (entry for entry in told if entry["recording_id"] == audio_id)
    return dict(entry)


async def test_a_recorded_call_is_what_was_said_and_then_is_not(service: Service, tmp_path: Path) -> None:
    house = service.house
    it = await recorded(service, tmp_path)
    await it.talk(4)
    await it.hang_up()
    record = await it.record()
    left, right = (await it.stored())[RATE:-RATE].T  # between click and clack of their beginnings
    assert usual_level_at(left, CALLER_HZ) - usual_level_at(left, DESTINATION_HZ) > 60
    assert usual_level_at(right, DESTINATION_HZ) - usual_level_at(right, CALLER_HZ) > 60
    entry = await listed(house, record.recording_id)
    assert (entry["one_way"], entry["silent"], entry["clipping"]) == (None, False, False)
    assert entry["seconds"] == pytest.approx(record.talk.total_seconds(), abs=0.3 + late().total_seconds())
    assert entry["evidence"]["notice"]["result"] == "heard"
    await callengine(house, "recordings", "destroy", record.recording_id)
    await it.comes_to("destroyed")
    await until(lambda: not list(house.endpoint.recordings.glob(f"{record.recording_id}*")))
    assert list((house.state / "objects").rglob(f"*{record.recording_id}*")) == []
