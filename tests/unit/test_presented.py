"""Whom a destination is shown: what the network is told is what the record says."""

import pytest

from dialplan.caller import UNKNOWN, WITHHELD, Caller, Presentation
from dialplan.destination import Destination, Present
from engine.ari.exchange import presented, shown_to

SHOWN = Caller(Presentation.SHOWN, "+4915123456789")


@pytest.mark.parametrize("caller", [WITHHELD, UNKNOWN])
def test_who_has_no_number_to_show_is_shown_to_nobody(caller: Caller) -> None:
    assert shown_to(Destination(number="+3221112233"), caller) is Present.ANONYMOUS


@pytest.mark.parametrize("present", list(Present))
def test_who_shows_a_number_is_shown_as_the_destination_wants_it(present: Present) -> None:
    assert shown_to(Destination(number="+3221112233", present=present), SHOWN) is present


@pytest.mark.parametrize("caller", [SHOWN, WITHHELD, UNKNOWN])
def test_a_destination_that_wants_the_service_number_gets_it_whoever_calls(caller: Caller) -> None:
    to = Destination(number="+3221112233", present=Present.SERVICE_NUMBER)
    assert presented(shown_to(to, caller), "+3280012345")["CONNECTEDLINE(num,i)"] == "+3280012345"


def test_nobody_is_a_number_that_is_empty_and_prohibited() -> None:
    hidden = presented(Present.ANONYMOUS, "+3280012345")
    assert hidden == {"CONNECTEDLINE(num,i)": "", "CONNECTEDLINE(pres)": "prohib"}
