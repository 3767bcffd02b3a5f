"""Calls that no engine received, by their first CEL events."""

from dataclasses import replace

import pytest

from engine.ari.unattended import Unattended
from journal.cel import CelEvent
from tests.unit.switchboards import CHANNEL, NODE, NUMBER, C, at, cel

BEGAN = replace(cel("CHAN_START"), context="inbound", exten=NUMBER)
LEFT = replace(cel("HANGUP", CHANNEL, 3, hangupcause=0, hangupsource=C), context="door")


def test_an_asterisk_that_died_left_the_calls_of_which_it_wrote_no_end() -> None:
    unattended = Unattended("", NODE)
    for event in (BEGAN, other_call("dev-1795776979.8", 1), other_call("dev-1795776979.9", 9)):
        unattended.arrival(event)
    unattended.arrival(LEFT)
    assert [it.channel_id for it in unattended.left_by_a_former(at(5))] == ["dev-1795776979.8"]
    assert unattended.left_by_a_former(at(5)) == []
    assert [it.channel_id for it in unattended.left_by_a_former(at(10))] == ["dev-1795776979.9"]


def other_call(channel: str, seconds: float) -> CelEvent:
    return replace(BEGAN, at=at(seconds), call=channel, channel=channel)


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_caller_who_left_at_the_door_is_a_call_unless_an_engine_had_it(*, has_begun: bool) -> None:
    unattended = Unattended("", NODE)
    assert unattended.arrival(BEGAN) is None
    if has_begun:
        unattended.forget(CHANNEL)
    assert (unattended.arrival(LEFT) is None) == has_begun
