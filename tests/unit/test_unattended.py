"""Calls that no engine received, by their first CEL events."""

from dataclasses import replace

import pytest

from engine.ari.unattended import Unattended
from tests.unit.switchboards import CHANNEL, NODE, NUMBER, C, cel

BEGAN = replace(cel("CHAN_START"), context="inbound", exten=NUMBER)
LEFT = replace(cel("HANGUP", CHANNEL, 3, hangupcause=0, hangupsource=C), context="door")


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_caller_who_left_at_the_door_is_a_call_unless_an_engine_had_it(*, has_begun: bool) -> None:
    unattended = Unattended("", NODE)
    assert unattended.arrival(BEGAN) is None
    if has_begun:
        unattended.forget(CHANNEL)
    assert (unattended.arrival(LEFT) is None) == has_begun
