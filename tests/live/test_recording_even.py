"""A recording is as long as the talk, and its two sides run beside each other, to the end.

TALK_SECONDS=600 is the ten minutes of the promise, held to its bounds; the default allows for a machine that
is busy with other tests. The telephones are bare: those of the other tests are late themselves. Where packets
are lost or late the sides may be further apart for a while: docs/decisions/012-recorder.md
"""

import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from devkit.audio import RATE, Samples
from storage.parts import NAME
from tests.lateness import late
from tests.live import sip
from tests.live.ari import left_in
from tests.live.recordings import Kept
from tests.live.service import House
from tests.live.speakers import speakers

TALK_SECONDS = float(os.environ.get("TALK_SECONDS", "0")) or 15.0
EXACT = "TALK_SECONDS" in os.environ
WINDOW = 20  # samples, 2.5 ms
APART = (0.02 if EXACT else 0.1) * RATE / WINDOW  # windows; one frame of 20 ms is 8
SHORT = 0.04 if EXACT else 0.25  # s
LOUD = 1500  # RMS of a burst's windows is 7,000, of the hiss 24


@pytest.fixture
def carrier(house: House) -> Iterator[sip.Agent]:
    """The far end of the trunk, on the port that the service sends its calls to."""
    with sip.Agent(house.carrier_port) as agent:
        yield agent


@pytest.mark.timeout(TALK_SECONDS + 120)
def test_both_sides_are_as_long_as_the_talk_and_side_by_side_to_the_end(
    house: House, carrier: sip.Agent, tmp_path: Path
) -> None:
    number, to = house.ready_recorded.pop()
    with sip.Agent() as telephone, speakers() as said:
        call = sip.Call(telephone, house.run.sip, number, media_port=said.ports[0]).invite()
        early = telephone.expect(lambda it: it.start.startswith("SIP/2.0 183"))
        said.speak(0, sip.media_of(early.text)[1])
        ringing = sip.Ringing.wait(carrier, house.run.sip, to)
        ringing.media_port = said.ports[1]
        ringing.ring()
        said.speak(1, sip.media_of(ringing.invite.text)[1])
        ringing.pick_up()
        assert call.final() == 200
        time.sleep(TALK_SECONDS)  # so long they talk
        (part,) = house.endpoint.recordings.glob(f"{call_of(house, number)}-rec1-*.raw")
        kept = Kept(house, tmp_path, NAME.sub("", part.name))
        kept.keep()
        call.hang_up()
        ringing.gone()
    talked = talk(house, number)
    assert sip.eventually(kept.is_written)
    sides = kept.sides()
    short = max(abs(talked - len(side) / RATE) for side in sides)
    apart = max(farthest(*map(onsets, sides)), farthest(*map(onsets, reversed(sides))))
    told = f"{apart * WINDOW / RATE:.4f} s apart at most"
    print(f"of {talked:.3f} s: {short:.3f} s off its length, the sides {told}")
    slack = 0 if EXACT else late().total_seconds()
    assert short <= SHORT + slack
    assert apart <= APART + slack * RATE / WINDOW
    assert sip.eventually(lambda: left_in(house.endpoint) == [])


def call_of(house: House, number: str) -> str:
    """The one call to this number."""
    entries = house.journal.of_number(number)
    (call,) = (entry["call"] for entry in entries if entry["kind"] == "call_start")
    return str(call)


def talk(house: House, number: str) -> float:
    """How long the one who called this number talked, once their call is over, s."""

    def instants() -> dict[str, datetime]:
        entries = house.journal.of_number(number)
        return {entry["kind"]: datetime.fromisoformat(entry["at"]) for entry in entries if "at" in entry}

    assert sip.eventually(lambda: "call_end" in instants())
    return (instants()["call_end"] - instants()["answered"]).total_seconds()


def farthest(bursts: list[int], others: list[int]) -> int:
    """How far the farthest burst of one side is from the nearest of the other, in windows.

    At either end a burst may be cut on one side: those of the first and the last second are left out.
    """
    inner = bursts[1:-1]
    assert len(inner) > TALK_SECONDS - 4
    return max(min(abs(burst - other) for other in others) for burst in inner)


def onsets(sound: Samples) -> list[int]:
    """The windows in which each burst begins."""
    windows = sound[: len(sound) // WINDOW * WINDOW].astype(np.float64).reshape(-1, WINDOW)
    loud = np.sqrt(np.mean(windows**2, axis=1)) > LOUD
    return [int(at) + 1 for at in np.flatnonzero(np.diff(loud.astype(int)) == 1)]
