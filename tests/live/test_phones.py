"""The demo's and the tests' own telephones, against each other: no Asterisk between them."""

from collections.abc import AsyncIterator

import numpy as np
import pytest

from devkit.audio import RATE, correlation, level, levels, loudness, tone
from devkit.carrier import Answers, Carrier, Dead, Refuses, Rings, carrier
from devkit.handset import CallOver
from devkit.phones import WITHHELD, Phones, phones, shown
from tests.live.service import until

CALLER = "+3225551234"
TO = "+32470111222"


@pytest.fixture
async def telephones() -> AsyncIterator[Phones]:
    async with phones() as all_of_them:
        yield all_of_them


@pytest.fixture
async def network(telephones: Phones) -> AsyncIterator[Carrier]:
    async with carrier(telephones) as it:
        yield it


async def test_both_ends_hear_the_others_tone_and_nothing_else(telephones: Phones, network: Carrier) -> None:
    caller = await telephones.dial(TO, network.address, shown(CALLER), says=(1000,))
    callee = await network.picked_up(TO)
    # On a busy machine a telephone leaves a gap now and then: the level is that of 0.2 s without one.
    assert await caller.hears(600, least=0.27) == pytest.approx(0.3, abs=0.03)
    assert await callee.hears(1000, least=0.27) == pytest.approx(0.3, abs=0.03)
    await until(lambda: caller.level(1000, 0.2) < 0.01 and callee.level(600, 0.2) < 0.01)


async def test_a_tone_can_be_changed_while_talking(telephones: Phones, network: Carrier) -> None:
    caller = await telephones.dial(TO, network.address, shown(CALLER), says=(1000,))
    callee = await network.picked_up(TO)
    await callee.hears(1000)
    caller.say(440, 1300)
    assert await callee.hears(440) > 0.1
    assert await callee.hears(1300) > 0.1


async def test_a_destination_set_to_echo_says_back_what_it_hears(
    telephones: Phones, network: Carrier
) -> None:
    network.behave(TO, Answers(says=()))
    caller = await telephones.dial(TO, network.address, shown(CALLER), says=(1000,))
    # A frame that comes late is a gap in what is said back: the level is that of 0.2 s without one.
    assert await caller.hears(1000, least=0.25) == pytest.approx(0.3, abs=0.05)


async def test_pressed_keys_arrive_in_order(telephones: Phones, network: Carrier) -> None:
    caller = await telephones.dial(TO, network.address, shown(CALLER))
    callee = await network.picked_up(TO)
    await caller.wait_answered()
    await caller.press("1904#")
    assert await callee.pressed(5) == "1904#"


@pytest.mark.parametrize("code", [403, 404, 480, 486, 503, 603])
async def test_a_destination_can_refuse_with_any_status(
    telephones: Phones, network: Carrier, code: int
) -> None:
    network.behave(TO, Refuses(code))
    caller = await telephones.dial(TO, network.address, shown(CALLER))
    assert (await caller.wait_ended()).code == code
    assert (await network.arrival(TO)).refused == code


async def test_waiting_for_the_answer_of_a_busy_destination_says_busy(
    telephones: Phones, network: Carrier
) -> None:
    network.behave(TO, Refuses(486, after=0.05))
    caller = await telephones.dial(TO, network.address, shown(CALLER))
    with pytest.raises(CallOver, match="486 Busy Here"):
        await caller.wait_answered()
    assert caller.ringing is not None


async def test_a_destination_that_rings_learns_that_the_caller_gave_up(
    telephones: Phones, network: Carrier
) -> None:
    network.behave(TO, Rings())
    caller = await telephones.dial(TO, network.address, shown(CALLER))
    await caller.wait_ringing()
    await caller.hang_up()
    assert (await caller.wait_ended()).by_us
    assert (await network.arrival(TO)).cancelled is not None


async def test_a_caller_can_give_up_before_a_phone_answers(telephones: Phones, network: Carrier) -> None:
    network.behave(TO, Answers(after=60))
    caller = await telephones.dial(TO, network.address, shown(CALLER))
    callee = await network.picked_up(TO)
    await caller.wait_ringing()
    await caller.hang_up()
    await callee.wait_ended()
    assert callee.answered is None


async def test_a_dead_destination_gives_no_sign(telephones: Phones, network: Carrier) -> None:
    network.behave(TO, Dead())
    caller = await telephones.dial(TO, network.address, shown(CALLER))
    await network.arrival(TO)
    with pytest.raises(TimeoutError):
        await caller.wait_ringing(seconds=0.2)


@pytest.mark.parametrize("who", ["caller", "destination"])
async def test_either_end_can_hang_up(telephones: Phones, network: Carrier, who: str) -> None:
    network.behave(TO, Answers(hangs_up_after=0.1 if who == "destination" else None))
    caller = await telephones.dial(TO, network.address, shown(CALLER))
    callee = await network.picked_up(TO)
    await caller.wait_answered()
    if who == "caller":
        await caller.hang_up()
    assert (await caller.wait_ended()).by_us == (who == "caller")
    assert (await callee.wait_ended()).by_us == (who == "destination")


async def test_many_calls_at_once_keep_their_own_sound(telephones: Phones, network: Carrier) -> None:
    numbers = [f"+3247011{n:04d}" for n in range(12)]
    for n, number in enumerate(numbers):
        network.behave(number, Answers(says=(600 + 50 * n,)))
    callers = [await telephones.dial(number, network.address, shown(CALLER)) for number in numbers]
    for n, caller in enumerate(callers):
        assert await caller.hears(600 + 50 * n) > 0.2


async def test_the_messages_of_one_call_are_told_from_those_of_another(
    telephones: Phones, network: Carrier
) -> None:
    network.behave(TO, Refuses(486))
    for number in (CALLER, "+3225550000"):
        await (await telephones.dial(TO, network.address, shown(number))).wait_ended()
    first, second = await network.arrival(TO), await network.arrival(TO, count=2)
    assert all(CALLER in text for text in network.messages_of(first))
    assert all("+3225550000" in text for text in network.messages_of(second))
    assert network.messages_of(second)[0] == second.invite.text


@pytest.mark.parametrize("variant", WITHHELD)
async def test_a_withheld_caller_says_so_on_the_wire(
    telephones: Phones, network: Carrier, variant: str
) -> None:
    await telephones.dial(TO, network.address, WITHHELD[variant](CALLER))
    invite = (await network.arrival(TO)).invite
    private = [value.lower() for value in invite.all("Privacy")] + invite.all("Remote-Party-ID")
    assert any("id" in value or "privacy=full" in value for value in private) or "anonymous" in invite.one(
        "From"
    )
    assert (CALLER in invite.text) == (variant != "anonymous From")


async def test_the_wire_shows_what_is_said_after_the_answer_too(telephones: Phones, network: Carrier) -> None:
    caller = await telephones.dial(TO, network.address, shown(CALLER, name="Jan"))
    await caller.wait_answered()
    await caller.hang_up()
    await (await network.picked_up(TO)).wait_ended()
    assert '"Jan"' in network.wire[0]
    assert [text for text in network.wire if text.startswith("BYE")]


def test_the_level_of_a_tone_is_its_amplitude_and_other_tones_do_not_count() -> None:
    sound = tone((600, 1000), RATE)
    assert level(sound, 600) == pytest.approx(0.3, abs=0.001)
    assert level(sound, 1000) == pytest.approx(0.3, abs=0.001)
    assert level(sound, 440) < 0.001
    assert levels(sound, 600) == pytest.approx([0.3] * 10, abs=0.001)


def test_a_tone_said_in_pieces_is_the_tone_said_at_once() -> None:
    pieces = [tone((617,), 130, start=at) for at in range(0, 1300, 130)]
    assert [s for piece in pieces for s in piece] == list(tone((617,), 1300))


def test_the_same_sound_correlates_whenever_it_begins_and_another_does_not() -> None:
    said = tone((600,), RATE)
    late = tone((), 500)
    assert correlation(said, np.concatenate([late, said, late])) > 0.99
    assert correlation(said, tone((1000,), RATE)) < 0.1
    assert loudness(said) == pytest.approx(0.212, abs=0.001)
