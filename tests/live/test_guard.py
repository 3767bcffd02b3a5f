"""The door of Asterisk: what it refuses, what it hides, and what it does when the engine is away."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from devkit.asterisk import Asterisk, Options, start_asterisk
from tests.lateness import late
from tests.live.ari import ask, left_in
from tests.live.conftest import write_fallbacks
from tests.live.sip import Agent, Call, Ringing, eventually

NUMBER = "+3270012345"
FALLBACK = "+3221112233"
CALLER = "+32470998877"

pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def caller() -> Iterator[Agent]:
    with Agent() as agent:
        yield agent


@pytest.fixture(autouse=True)
def _fresh(asterisk: Asterisk, carrier: Agent) -> None:
    """One fallback, no engine, nothing heard yet."""
    write_fallbacks(asterisk, {NUMBER[1:]: FALLBACK})
    ask(asterisk.endpoint, "/asterisk/variable?variable=ENGINE_ALIVE&value=0", "POST")
    carrier.forget()


@pytest.mark.parametrize(
    "number",
    [
        "0800%ff",
        "0800%22%ff",  # breaks out of a quoted comparison
        "0800%22%20%7c%20%221",
        "0800$%7bEPOCH%7d",
        "0800%24%7BEPOCH%7D",
        "0800)",
        "0800%7d",
        "0800%5d",
        "0800,x",
        "0800%2cx",
        "0800%0d%0aX",
        "0800%60id%60",
        "0800%5c",
        "0800/../../x",
        "0800%c3%28",
        "0800" + "%f0%9f%98" * 5,
        "+32" + "1" * 30,
    ],
)
def test_a_dialled_number_that_is_no_number_is_refused(
    asterisk: Asterisk, caller: Agent, number: str
) -> None:
    assert Call(caller, asterisk.endpoint.sip, number).invite().final() == 404
    assert ask(asterisk.endpoint, "/channels") == []


@pytest.mark.parametrize("call_id", ["\udcff", "abc\udcffdef", "a\udcc3(@h"])
def test_a_call_id_that_cannot_be_printed_is_refused(asterisk: Asterisk, caller: Agent, call_id: str) -> None:
    assert Call(caller, asterisk.endpoint.sip, NUMBER, call_id=call_id).invite().final() == 401
    assert ask(asterisk.endpoint, "/channels") == []


@pytest.mark.parametrize(("number", "call_id"), [("0800%ff", "flood"), (NUMBER, "flood\udcff")])
def test_the_channels_can_be_listed_while_such_calls_come_in(
    asterisk: Asterisk, caller: Agent, number: str, call_id: str
) -> None:
    for n in range(200):
        Call(caller, asterisk.endpoint.sip, number, call_id=f"{call_id}{n}").invite()
        assert ask(asterisk.endpoint, "/channels") == []


def test_a_second_call_id_does_not_carry_the_first_past_the_door(asterisk: Asterisk, caller: Agent) -> None:
    two = "bad\udcff\r\nCall-ID: good"
    assert Call(caller, asterisk.endpoint.sip, NUMBER, call_id=two).invite().final() == 403
    assert eventually(lambda: can_be_listed(asterisk))  # not for the 2 ms until it is refused


def can_be_listed(asterisk: Asterisk) -> bool:
    try:
        return bool(ask(asterisk.endpoint, "/channels") == [])
    except HTTPError:
        return False


def test_a_raw_byte_in_the_dialled_number_never_becomes_a_call(asterisk: Asterisk, caller: Agent) -> None:
    Call(caller, asterisk.endpoint.sip, "0800\udcff").invite()
    assert Call(caller, asterisk.endpoint.sip, "0800%ff").invite().final() == 404
    assert left_in(asterisk.endpoint) == []


def test_a_stranger_is_turned_away(tmp_path: Path, caller: Agent) -> None:
    with start_asterisk(tmp_path, Options("127.0.0.2:5060")) as elsewhere:
        elsewhere.wait_until_ready()
        assert Call(caller, elsewhere.endpoint.sip, NUMBER).invite().final() == 401


def test_a_name_is_not_dialled(asterisk: Asterisk, caller: Agent) -> None:
    assert Call(caller, asterisk.endpoint.sip, "alice").invite().final() == 404


@pytest.mark.parametrize("dialled", ["+3270012345", "003270012345", "3270012345"])
def test_with_the_engine_away_the_fallback_is_dialled_within_a_second(
    asterisk: Asterisk, caller: Agent, carrier: Agent, dialled: str
) -> None:
    began = time.monotonic()
    call = Call(caller, asterisk.endpoint.sip, dialled).invite()
    leg = Ringing.wait(carrier, asterisk.endpoint.sip, FALLBACK)
    assert time.monotonic() - began < 1 + late().total_seconds()
    leg.ring()
    leg.pick_up()
    assert call.final() == 200
    call.hang_up()
    leg.gone()


def test_a_caller_who_gives_up_on_the_fallback_stops_its_ringing(
    asterisk: Asterisk, caller: Agent, carrier: Agent
) -> None:
    call = Call(caller, asterisk.endpoint.sip, NUMBER).invite()
    leg = Ringing.wait(carrier, asterisk.endpoint.sip, FALLBACK)
    leg.ring()
    call.cancel()
    leg.gone()


@pytest.mark.parametrize(("carrier_says", "caller_hears"), [(486, 486), (404, 404), (503, 503), (480, 480)])
def test_the_caller_hears_why_the_fallback_did_not_answer(
    asterisk: Asterisk, caller: Agent, carrier: Agent, carrier_says: int, caller_hears: int
) -> None:
    call = Call(caller, asterisk.endpoint.sip, NUMBER).invite()
    Ringing.wait(carrier, asterisk.endpoint.sip, FALLBACK).refuse(carrier_says)
    assert call.final() == caller_hears


def test_a_number_without_a_fallback_is_told_to_try_elsewhere(asterisk: Asterisk, caller: Agent) -> None:
    assert Call(caller, asterisk.endpoint.sip, "+3270099999").invite().final() == 503


def test_a_fallback_that_was_emptied_is_dialled_no_more(asterisk: Asterisk, caller: Agent) -> None:
    write_fallbacks(
        asterisk, {NUMBER[1:]: ""}
    )  # a line taken out would change nothing: globals outlive a reload
    assert Call(caller, asterisk.endpoint.sip, NUMBER).invite().final() == 503


SHOWN = f'"Some One" <sip:{CALLER}@caller.example>'
PAI = f'P-Asserted-Identity: "Some One" <sip:{CALLER}@caller.example>'


@pytest.mark.parametrize(
    ("caller_id", "headers"),
    [
        (SHOWN, [PAI, "Privacy: id"]),
        (SHOWN, ["Privacy: id"]),
        (SHOWN, ["Privacy: user;ID"]),
        (SHOWN, ["Privacy: none", "Privacy: id"]),
        (SHOWN, ["Privacy: user, id"]),
        (SHOWN, ["Privacy: critical"]),
        (SHOWN, [PAI, "Privacy: header;critical"]),
        (SHOWN, ["Privacy: \udcff\udcfe"]),
        (SHOWN, [f"Remote-Party-ID: <sip:{CALLER}@caller.example>;party=calling;privacy=full;screen=yes"]),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>', [PAI]),
        ("<sip:Anonymous@carrier.example>", [PAI]),
        (f"<sip:{CALLER}@anonymous.invalid>", [PAI]),
        (f"<sips:{CALLER}@Anonymous.Invalid>", []),
    ],
    ids=lambda value: (
        "+".join(value)[:60].encode("ascii", "replace").decode() if isinstance(value, list) else ""
    ),
)
def test_a_withheld_number_is_not_told_to_the_fallback(
    asterisk: Asterisk, caller: Agent, carrier: Agent, caller_id: str, headers: list[str]
) -> None:
    call = Call(caller, asterisk.endpoint.sip, NUMBER, caller=caller_id, headers=headers).invite()
    leg = Ringing.wait(carrier, asterisk.endpoint.sip, FALLBACK)
    leg.ring()
    leg.pick_up()
    assert call.final() == 200
    call.hang_up()
    leg.gone()
    said = "".join(message.text for message in carrier.heard)
    assert "anonymous" in leg.invite.one("from").lower()
    assert CALLER[1:] not in said
    assert "Some One" not in said


@pytest.mark.parametrize("headers", [[], ["Privacy: none"], ["Privacy: NONE"], [PAI]])
def test_a_number_that_is_not_withheld_is_shown(
    asterisk: Asterisk, caller: Agent, carrier: Agent, headers: list[str]
) -> None:
    call = Call(caller, asterisk.endpoint.sip, NUMBER, caller=SHOWN, headers=headers).invite()
    leg = Ringing.wait(carrier, asterisk.endpoint.sip, FALLBACK)
    assert f"sip:{CALLER}@" in leg.invite.one("from")
    leg.refuse(486)
    call.final()


def test_a_name_that_only_sounds_anonymous_withholds_nothing(
    asterisk: Asterisk, caller: Agent, carrier: Agent
) -> None:
    sounds = f'"Anonymous Plumbers" <sip:{CALLER}@notanonymous.example>'
    call = Call(caller, asterisk.endpoint.sip, NUMBER, caller=sounds).invite()
    leg = Ringing.wait(carrier, asterisk.endpoint.sip, FALLBACK)
    assert f"sip:{CALLER}@" in leg.invite.one("from")
    leg.refuse(486)
    call.final()


def engine_seems_alive(asterisk: Asterisk, ahead: int = 0) -> None:
    now = int(time.time()) + ahead
    ask(asterisk.endpoint, f"/asterisk/variable?variable=ENGINE_ALIVE&value={now}", "POST")


def waiting_for_the_engine(asterisk: Asterisk) -> list[str]:
    channels: list[str] = ask(asterisk.endpoint, f"/applications/{asterisk.endpoint.app}")["channel_ids"]
    return channels


@pytest.mark.parametrize(("ahead", "seconds"), [(0, 1.8), (30, 5.0)], ids=["died", "stopped"])
def test_a_call_the_engine_does_not_take_goes_to_the_fallback(
    asterisk: Asterisk, caller: Agent, carrier: Agent, ahead: int, seconds: float
) -> None:
    """Soon; later if the engine was stopped in order, and is expected back."""
    engine_seems_alive(asterisk, ahead)
    began = time.monotonic()
    call = Call(caller, asterisk.endpoint.sip, NUMBER).invite()
    leg = Ringing.wait(carrier, asterisk.endpoint.sip, FALLBACK, seconds=7)
    assert seconds - 0.2 < time.monotonic() - began < seconds + 1.5 + late().total_seconds()
    leg.refuse(486)
    assert call.final() == 486


def test_a_conversation_whose_lease_runs_out_ends_and_is_not_sent_to_the_fallback(
    asterisk: Asterisk, caller: Agent, carrier: Agent
) -> None:
    engine_seems_alive(asterisk)
    call = Call(caller, asterisk.endpoint.sip, NUMBER).invite()
    assert eventually(lambda: bool(waiting_for_the_engine(asterisk)))
    path = f"/channels/{waiting_for_the_engine(asterisk)[0]}"
    ask(asterisk.endpoint, path + "/answer", "POST")
    assert call.final() == 200
    ask(asterisk.endpoint, path + "/variable?variable=ENGINE_STATE&value=talking", "POST")
    ask(asterisk.endpoint, path + "/variable?variable=TIMEOUT(absolute)&value=1", "POST")
    bye = caller.expect(lambda message: message.method == "BYE")
    caller.send(bye.reply(200), asterisk.endpoint.sip)
    carrier.listen(0.1)
    assert carrier.heard == []


def test_one_call_more_than_the_trunk_may_carry_is_told_to_try_elsewhere(
    tmp_path: Path, caller: Agent, carrier: Agent
) -> None:
    with start_asterisk(tmp_path, Options(carrier.address, cap=2, number_cap=2)) as small:
        small.wait_until_ready()
        write_fallbacks(small, {NUMBER[1:]: FALLBACK})
        calls = [Call(caller, small.endpoint.sip, NUMBER).invite() for _ in range(2)]
        legs = [Ringing.wait(carrier, small.endpoint.sip, FALLBACK) for _ in calls]
        assert Call(caller, small.endpoint.sip, NUMBER).invite().final() == 503
        for leg in legs:
            leg.refuse(486)
        assert [call.final() for call in calls] == [486, 486]
        again = Call(caller, small.endpoint.sip, NUMBER).invite()
        Ringing.wait(carrier, small.endpoint.sip, FALLBACK).refuse(486)
        assert again.final() == 486


def test_two_asterisks_side_by_side_do_not_disturb_each_other(
    tmp_path: Path, asterisk: Asterisk, caller: Agent, carrier: Agent
) -> None:
    with start_asterisk(tmp_path, Options(carrier.address)) as other:
        other.wait_until_ready()
        assert not set(other.endpoint.rtp_ports) & set(asterisk.endpoint.rtp_ports)
        write_fallbacks(other, {NUMBER[1:]: "+3229998877"})
        here = Call(caller, asterisk.endpoint.sip, NUMBER).invite()
        leg_here = Ringing.wait(carrier, asterisk.endpoint.sip, FALLBACK)
        there = Call(caller, other.endpoint.sip, NUMBER).invite()
        leg_there = Ringing.wait(carrier, other.endpoint.sip, "+3229998877")
        leg_there.refuse(486)
        assert there.final() == 486
    leg_here.pick_up()
    assert here.final() == 200
    here.hang_up()
    leg_here.gone()
