"""A caller's channel that is handed over to the dialplan: what Asterisk's events and replies mean then."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from dialplan.caller import UNKNOWN
from dialplan.destination import Destination
from dialplan.result import Outcome, Result
from engine.ari.arrival import Arrival
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError, Conflict, Gone, Unavailable
from engine.ari.events import ChannelDestroyed, Dial, Kind, StasisEnd, StasisStart
from engine.ari.exchange import Exchange
from engine.ari.line import ASKED_SECONDS, GIVEN_UP_SECONDS, REPORTED_SECONDS, AriLine
from engine.ari.state import ChannelInfo
from engine.ari.takeover import look
from engine.line import Attempt, Connect, Ended, HungUp, Recorder, Returned
from journal.entries import CallStarted, Entry, HandedOver, LegEnded, LegStarted
from journal.state import CallState, fold

pytestmark = pytest.mark.looptime

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
LAST_KNOWN = AT - timedelta(seconds=1)
STARTED = AT
CALL, CALLER, ONE, TWO = "0199-call", "dev-1.0", "dev-1.1", "dev-1.2"
OFFICE, HOME = "+3221112233", "+32470111222"
LEG = f"{CALL}-b1"
BUSY = f"&{ONE}:Down:17:486:{OFFICE}"
TRIED = Attempt(LEG, OFFICE, Outcome.BUSY, 17, 486)
TO_ONE = Connect(number=1, to=(Destination(number=OFFICE),), seconds=20, limit=3600)
TO_TWO = Connect(number=1, to=(Destination(number=OFFICE), Destination(number=HOME)), seconds=20, limit=60)
RECORDED = replace(TO_ONE, recorder=Recorder("0199-call-rec1", None, caller_may_stop=False))


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def channel(channel_id: str = CALLER, application: str = "Stasis") -> ChannelInfo:
    return ChannelInfo(channel_id, "Ring", AT, "", "+3270012345", application, {})


def end(seconds: float = 1) -> StasisEnd:
    return StasisEnd(at(seconds), channel())


def back(legs: str = BUSY, ring: str = "1") -> StasisStart:
    return StasisStart(at(9), channel(), ("back", ring, "BUSY", *([legs] if legs else [])))


@dataclass
class Asterisk:
    """Its commands; it is its own client, and each of its resources.

    `does`: what happens before the reply to a command, which may be an error. `exists`: the caller's channel,
    which is in `application`.
    """

    does: dict[str, Callable[[], AriError | None]] = field(default_factory=dict)
    exists: bool | AriError = True
    application: str = "Dial"
    commands: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    continued_in: dict[str, Any] = field(default_factory=dict)
    subscribed: list[str] = field(default_factory=list)
    cause: int | None = None

    def _do(self, command: str) -> None:
        self.commands.append(command)
        trouble = self.does.get(command, lambda: None)()
        if trouble is not None:
            raise trouble

    async def set_channel_vars(self, channel_id: str, variables: dict[str, Any]) -> None:
        self.values |= variables
        self._do("set_channel_vars")

    async def continue_in_dialplan(self, channel_id: str, **where: Any) -> None:
        assert channel_id == CALLER
        self.continued_in = where
        self._do("continue_in_dialplan")

    async def subscribe(self, app: str, sources: list[str]) -> None:
        self.subscribed += sources
        self._do("subscribe")

    async def get(self, channel_id: str) -> ChannelInfo:
        self._do("get")
        if isinstance(self.exists, AriError):
            raise self.exists
        if not self.exists:
            raise Gone(404, "no such channel")
        return channel(channel_id, self.application)

    async def hangup(self, channel_id: str, *, reason_code: int | None = None) -> None:
        self.cause = reason_code
        self._do("hangup")

    @property
    def channels(self) -> "Asterisk":
        return self

    @property
    def applications(self) -> "Asterisk":
        return self


class Caller:
    """A line, its Asterisk and its events."""

    def __init__(self) -> None:
        self.asterisk = Asterisk()
        self.dispatcher = Dispatcher(lambda _: None)
        client = cast(Client, self.asterisk)
        exchange = Exchange(client, self.dispatcher, last_known=LAST_KNOWN)
        self.line = AriLine(exchange, Arrival(CALLER, CALL, "+3270012345", UNKNOWN, AT))
        self.tell = self.line.on_event

    async def handed_over(self, connect: Connect = TO_ONE) -> asyncio.Task[Returned]:
        """The hand-over, which goes on once the caller has left the application."""
        self.asterisk.does["continue_in_dialplan"] = lambda: self.tell(end())
        going_on = asyncio.create_task(self.line.connect(connect))
        while "continue_in_dialplan" not in self.asterisk.commands:
            await asyncio.sleep(0)
            if going_on.done():
                going_on.result()
        await asyncio.sleep(0)
        return going_on


@pytest.fixture
async def caller() -> Caller:
    return Caller()


def loop_time() -> float:
    return asyncio.get_running_loop().time()


async def hung_up(waiting: Any) -> Ended:
    with pytest.raises(HungUp) as gone:
        await waiting
    return gone.value.ended


# Handing over.


async def test_a_recorded_ring_is_two_commands(caller: Caller) -> None:
    going_on = await caller.handed_over(RECORDED)
    assert caller.asterisk.commands == ["set_channel_vars", "continue_in_dialplan"]
    assert caller.asterisk.values["CONNECT_TO"] == f"PJSIP/{OFFICE}@trunk"
    assert caller.asterisk.continued_in == {"context": "connect", "extension": "s", "priority": 1}
    going_on.cancel()


async def test_an_ordinary_ring_is_one_command_and_the_end_of_stasis_is_no_hang_up(caller: Caller) -> None:
    going_on = await caller.handed_over()
    assert caller.asterisk.commands == ["continue_in_dialplan"]
    assert caller.asterisk.continued_in["context"] == "ring"
    assert caller.asterisk.continued_in["extension"].endswith(f"-PJSIP/{OFFICE}@trunk")
    assert caller.line.hand_over.is_active
    await asyncio.sleep(10)
    assert not going_on.done()
    assert not caller.line.ended.done()
    caller.tell(back())
    assert await going_on == Returned(1, (TRIED,), at(9))
    assert not caller.line.hand_over.is_active


async def test_back_without_a_leg_nobody_could_be_dialled(caller: Caller) -> None:
    going_on = await caller.handed_over()
    caller.tell(back(legs=""))
    assert await going_on == Returned(1, (), at(9))


async def test_a_caller_who_is_back_hangs_up_like_any_other(caller: Caller) -> None:
    going_on = await caller.handed_over()
    caller.tell(back())
    await going_on
    caller.tell(end(12))
    assert (await hung_up(caller.line.connect(TO_ONE))).at == at(12)


async def test_a_caller_who_is_back_and_hangs_up_at_once_has_hung_up(caller: Caller) -> None:
    """Both events are read before the call goes on, as after an outage."""
    going_on = await caller.handed_over()
    caller.tell(back())
    caller.tell(end(9.1))
    await going_on
    assert (await hung_up(caller.line.connect(TO_ONE))).at == at(9.1)


async def test_the_next_ring_is_handed_over_like_the_first(caller: Caller) -> None:
    going_on = await caller.handed_over()
    caller.tell(back())
    await going_on
    caller.asterisk.commands.clear()
    going_on = await caller.handed_over(replace(TO_ONE, number=2))
    caller.tell(back())  # of the first ring
    assert not going_on.done()
    caller.tell(back(legs="", ring="2"))
    assert (await going_on).number == 2


async def test_a_caller_who_comes_back_though_nobody_handed_over_is_not_taken_for_one(caller: Caller) -> None:
    caller.tell(back())
    going_on = await caller.handed_over()
    assert not going_on.done()
    caller.tell(back(legs=""))
    assert (await going_on).attempts == ()


async def test_a_word_from_the_way_back_that_makes_no_sense_is_no_return(caller: Caller) -> None:
    going_on = await caller.handed_over()
    with pytest.raises(ValueError, match=r".+"):  # the dispatcher logs it
        caller.tell(back(legs="&nonsense"))
    assert not going_on.done()
    going_on.cancel()


@pytest.mark.parametrize("command", ["set_channel_vars", "continue_in_dialplan"])
@pytest.mark.parametrize("trouble", [Gone(404, "gone"), Conflict(409, "not in Stasis")])
@pytest.mark.parametrize("told", ["before the reply", "after it"])
async def test_a_caller_who_hangs_up_in_the_middle_of_it_has_hung_up(
    caller: Caller, command: str, trouble: AriError, told: str
) -> None:
    def goes() -> AriError:
        if told == "before the reply":
            caller.tell(end(3))
        else:
            asyncio.get_running_loop().call_later(0.5, caller.tell, end(3))
        return trouble

    caller.asterisk.does[command] = goes
    assert await hung_up(caller.line.connect(RECORDED)) == Ended(at(3), 16)
    assert caller.asterisk.commands[-1] == command


async def test_a_caller_who_has_hung_up_is_not_handed_over(caller: Caller) -> None:
    caller.tell(end(3))
    assert await hung_up(caller.line.connect(TO_ONE)) == Ended(at(3), 16)
    assert caller.asterisk.commands == []


async def test_where_the_hand_over_fails_the_caller_is_still_ours(caller: Caller) -> None:
    caller.asterisk.does["continue_in_dialplan"] = lambda: Unavailable(0, "no reply")
    with pytest.raises(Unavailable):
        await caller.line.connect(TO_ONE)
    assert not caller.line.hand_over.is_active
    caller.tell(end(3))
    assert await caller.line.ended == Ended(at(3), 16)


# What ends a conversation.


async def test_cel_tells_the_end_of_a_conversation(caller: Caller) -> None:
    going_on = await caller.handed_over()
    caller.line.on_cel_end(at(60))
    assert await hung_up(going_on) == Ended(at(60), 16)
    assert await caller.line.over() == Ended(at(60), 16)


async def test_the_end_of_the_channel_that_ari_tells_is_left_to_cel(caller: Caller) -> None:
    going_on = await caller.handed_over(TO_TWO)
    caller.tell(ChannelDestroyed(at(60), channel(), 16))
    await asyncio.sleep(1)
    assert not going_on.done()
    caller.line.on_cel_end(at(60.5))
    assert await hung_up(going_on) == Ended(at(60.5), 16)


async def test_a_conversation_of_which_cel_says_nothing_is_given_up_when_its_channel_is_gone(
    caller: Caller,
) -> None:
    going_on = await caller.handed_over()
    await asyncio.sleep(ASKED_SECONDS * 5 + 1)
    assert not going_on.done()
    caller.asterisk.exists = False
    assert await hung_up(going_on) == Ended(LAST_KNOWN, 127, lost=True)
    assert loop_time() == pytest.approx(ASKED_SECONDS * 6 + GIVEN_UP_SECONDS, abs=0.1)


async def test_an_asterisk_that_cannot_be_asked_may_still_have_it(caller: Caller) -> None:
    going_on = await caller.handed_over()
    caller.asterisk.exists = Unavailable(0, "no reply")
    await asyncio.sleep(ASKED_SECONDS * 5)
    assert not going_on.done()
    caller.line.on_cel_end(at(60))
    assert (await hung_up(going_on)).lost is False


# The end.


async def test_the_end_is_what_cel_tells_within_moments(caller: Caller) -> None:
    caller.tell(end(3))
    asyncio.get_running_loop().call_later(0.01, caller.line.on_cel_end, at(3.001))
    assert await caller.line.over() == Ended(at(3), 16)
    assert caller.asterisk.commands == []


async def test_while_its_channel_exists_a_call_is_not_over(caller: Caller) -> None:
    """The caller has left the application: Asterisk has them at the number's fallback."""
    caller.tell(end(3))
    over = asyncio.create_task(caller.line.over())
    await asyncio.sleep(1000)
    assert not over.done()
    caller.line.on_cel_end(at(1000))
    assert await over == Ended(at(3), 16)


@pytest.mark.parametrize("comes", [True, False])
async def test_a_call_whose_channel_is_gone_is_given_up_a_little_later(caller: Caller, comes: bool) -> None:
    caller.asterisk.exists = False
    if comes:
        asyncio.get_running_loop().call_later(REPORTED_SECONDS + 1, caller.line.on_cel_end, at(3))
    ended = await caller.line.over()
    assert loop_time() == pytest.approx(REPORTED_SECONDS + (1 if comes else GIVEN_UP_SECONDS), abs=0.1)
    assert ended == (Ended(at(3), 16) if comes else Ended(LAST_KNOWN, 127, lost=True))


@pytest.mark.parametrize(("result", "cause"), [(Result.BUSY, 17), (Result.UNREACHABLE, 34)])
async def test_our_own_hang_up_has_the_cause_that_says_why(
    caller: Caller, result: Result, cause: int
) -> None:
    caller.asterisk.does["hangup"] = lambda: caller.tell(end(3))
    assert await caller.line.hang_up(result) == Ended(at(3), cause)
    assert caller.asterisk.cause == cause


async def test_a_number_that_is_not_ours_is_turned_away_with_404(caller: Caller) -> None:
    caller.asterisk.does["hangup"] = lambda: caller.tell(end(3))
    assert await caller.line.turn_away() == Ended(at(3), 1)
    assert caller.asterisk.cause == 1


# When each of several legs rang.


async def test_of_several_legs_their_dial_events_say_when_each_rang(caller: Caller) -> None:
    going_on = await caller.handed_over(TO_TWO)
    await asyncio.sleep(0)
    assert caller.asterisk.subscribed == [f"channel:{CALLER}"]
    with caller.dispatcher.listen((Kind.CHANNEL, CALLER), caller.tell):
        for seconds, leg, status in [
            (1, ONE, ""),
            (1, TWO, ""),
            (2, TWO, "PROGRESS"),
            (3, ONE, "RINGING"),
            (4, TWO, "RINGING"),
            (5, ONE, "ANSWER"),
        ]:
            caller.dispatcher.dispatch(Dial(at(seconds), channel(leg), status, CALLER))
    assert caller.line.hand_over.rang == {f"{CALL}-b2": at(2), f"{CALL}-b1": at(3)}
    going_on.cancel()


async def test_one_leg_needs_no_subscription(caller: Caller) -> None:
    going_on = await caller.handed_over(TO_ONE)
    await asyncio.sleep(1)
    assert caller.asterisk.subscribed == []
    going_on.cancel()


async def test_a_subscription_that_fails_costs_only_the_instants(caller: Caller) -> None:
    caller.asterisk.does["subscribe"] = lambda: Unavailable(500, "no")
    going_on = await caller.handed_over(TO_TWO)
    await asyncio.sleep(1)
    assert not going_on.done()
    going_on.cancel()


# After an outage.


def handed_over_before(*entries: Entry) -> CallState:
    start = CallStarted(CALL, AT, "+3270012345", "acme", False, "here", CALLER)
    return fold([start, HandedOver(CALL, at(1), (OFFICE,), 20), *entries])


LEGS: list[Entry] = [LegStarted(CALL, at(2), LEG, OFFICE), LegEnded(CALL, at(3), LEG, Outcome.BUSY, 17, 486)]


async def test_a_caller_in_our_application_came_back_to_an_engine_that_died_then(caller: Caller) -> None:
    caller.line.hand_over.begin(1)
    caller.asterisk.application = "Stasis"
    await look(caller.line, handed_over_before(*LEGS), STARTED, left_to_us=True)
    assert await caller.line.connecting(TO_ONE) == Returned(1, (TRIED,), LAST_KNOWN)
    assert caller.asterisk.commands == ["get"]


async def test_or_was_never_sent_on_and_is_now(caller: Caller) -> None:
    caller.line.hand_over.begin(1)
    caller.asterisk.application = "Stasis"
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    assert not caller.line.hand_over.is_active
    going_on = asyncio.create_task(caller.line.connecting(TO_ONE))
    await asyncio.sleep(1)
    assert caller.asterisk.commands == ["get", "continue_in_dialplan"]
    caller.tell(back())
    assert await going_on == Returned(1, (TRIED,), at(9))


async def test_or_is_back_by_an_event_that_had_waited(caller: Caller) -> None:
    caller.line.hand_over.begin(1)
    caller.tell(back())
    caller.asterisk.application = "Stasis"
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    assert await caller.line.connecting(TO_ONE) == Returned(1, (TRIED,), at(9))


async def test_the_legs_of_an_earlier_ring_do_not_say_that_this_one_was_begun(caller: Caller) -> None:
    caller.line.hand_over.begin(2)
    state = handed_over_before(*LEGS, HandedOver(CALL, at(5), (HOME,), 20))
    caller.asterisk.application = "Stasis"
    await look(caller.line, state, STARTED, left_to_us=True)
    assert not caller.line.hand_over.is_active


async def test_a_caller_who_is_not_handed_over_and_in_our_application_is_ours(caller: Caller) -> None:
    caller.asterisk.application = "Stasis"
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    caller.line.alive()
    assert caller.asterisk.commands == ["get"]


async def test_a_conversation_goes_on(caller: Caller) -> None:
    caller.line.hand_over.begin(1)
    await look(caller.line, handed_over_before(*LEGS), STARTED, left_to_us=True)
    caller.line.alive()
    assert caller.line.hand_over.is_active


@pytest.mark.parametrize("handed_over", [True, False])
async def test_a_call_that_is_nowhere_ended_with_asterisk(caller: Caller, handed_over: bool) -> None:
    if handed_over:
        caller.line.hand_over.begin(1)
    caller.asterisk.exists = False
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    assert await caller.line.ended == Ended(LAST_KNOWN, 127, lost=True)


async def test_a_caller_who_has_left_the_application_without_us_is_at_the_fallback(caller: Caller) -> None:
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    assert await caller.line.ended == Ended(LAST_KNOWN, 16)


@pytest.mark.parametrize("known", ["ended", "over"])
async def test_of_a_call_whose_end_is_known_nothing_is_asked(caller: Caller, known: str) -> None:
    if known == "ended":
        caller.tell(end(3))
    else:
        caller.line.on_cel_end(at(3))
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    assert caller.asterisk.commands == []
    assert not caller.line.ended.done() or caller.line.ended.result() == Ended(at(3), 16)


async def test_a_hand_over_of_our_own_that_is_just_on_its_way_is_left_alone(caller: Caller) -> None:
    """The link was cut between the command and the channel's leaving: nobody else has handed it over."""
    caller.line.hand_over.begin(1)
    caller.asterisk.application = "Stasis"
    await look(caller.line, handed_over_before(), STARTED, left_to_us=False)
    assert caller.line.hand_over.is_active
