"""Who hears which event, and what waits for whom while the engine takes over."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from engine.ari.dispatcher import Dispatcher
from engine.ari.events import (
    ChannelUserevent,
    Dial,
    Event,
    Kind,
    Other,
    PlaybackFinished,
    PlaybackStarted,
    StasisEnd,
    StasisStart,
)
from engine.ari.state import ChannelInfo, PlaybackInfo

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def channel(channel_id: str) -> ChannelInfo:
    return ChannelInfo(channel_id, "Ring", AT, "+32470998877", "+3270012345", "Stasis", {})


def call(channel_id: str) -> StasisStart:
    return StasisStart(AT, channel(channel_id), ("in", "+3270012345"))


def end(channel_id: str) -> StasisEnd:
    return StasisEnd(AT, channel(channel_id))


@pytest.fixture
def calls() -> list[StasisStart]:
    return []


@pytest.fixture
def dispatcher(calls: list[StasisStart]) -> Dispatcher:
    return Dispatcher(calls.append)


def test_each_listener_hears_its_own_channel_only(dispatcher: Dispatcher) -> None:
    one: list[Event] = []
    two: list[Event] = []
    with (
        dispatcher.listen((Kind.CHANNEL, "1"), one.append),
        dispatcher.listen((Kind.CHANNEL, "2"), two.append),
    ):
        dispatcher.dispatch(end("1"))
        dispatcher.dispatch(end("2"))
    assert (one, two) == ([end("1")], [end("2")])


def test_a_channel_and_a_playback_of_one_name_are_two_things(dispatcher: Dispatcher) -> None:
    heard: list[Event] = []
    with dispatcher.listen((Kind.PLAYBACK, "x"), heard.append):
        dispatcher.dispatch(end("x"))
    assert heard == []


def test_several_may_listen_to_one_channel(dispatcher: Dispatcher) -> None:
    heard: list[Event] = []
    subject = (Kind.CHANNEL, "1")
    with dispatcher.listen(subject, heard.append):
        with dispatcher.listen(subject, heard.append):
            dispatcher.dispatch(end("1"))
        dispatcher.dispatch(end("1"))
    assert len(heard) == 3


def test_who_has_stopped_listening_hears_nothing(dispatcher: Dispatcher) -> None:
    heard: list[Event] = []
    with dispatcher.listen((Kind.CHANNEL, "1"), heard.append):
        pass
    dispatcher.dispatch(end("1"))
    assert heard == []
    assert dispatcher.unclaimed == 1


def test_a_new_call_is_told_and_one_that_is_back_or_our_own_is_not(
    dispatcher: Dispatcher, calls: list[StasisStart]
) -> None:
    dispatcher.dispatch(call("1"))
    dispatcher.dispatch(StasisStart(AT, channel("2"), ("back", "1", "BUSY")))
    dispatcher.dispatch(StasisStart(AT, channel("call-w1"), ("whisper",)))
    assert calls == [call("1")]


def test_the_legs_of_a_call_are_heard_by_its_caller(dispatcher: Dispatcher) -> None:
    heard: list[Event] = []
    rings = Dial(AT, channel("2"), "RINGING", "1")
    with dispatcher.listen((Kind.CHANNEL, "1"), heard.append):
        dispatcher.dispatch(rings)
    assert heard == [rings]


def test_what_nobody_wants_is_counted(dispatcher: Dispatcher, calls: list[StasisStart]) -> None:
    dispatcher.dispatch(Other(AT, "ChannelVarset"))
    dispatcher.dispatch(end("7"))
    dispatcher.dispatch(call("8"))
    assert dispatcher.unclaimed == 2


def test_a_listener_that_fails_deafens_nobody(dispatcher: Dispatcher) -> None:
    heard: list[Event] = []

    def fails(_: Event) -> None:
        raise RuntimeError("of this call only")

    subject = (Kind.CHANNEL, "1")
    with dispatcher.listen(subject, fails), dispatcher.listen(subject, heard.append):
        dispatcher.dispatch(end("1"))
    assert heard == [end("1")]


def test_a_call_that_cannot_be_taken_does_not_stop_the_next() -> None:
    taken: list[str] = []

    def take(start: StasisStart) -> None:
        taken.append(start.channel.id)
        raise RuntimeError("no")

    dispatcher = Dispatcher(take)
    dispatcher.dispatch(call("1"))
    dispatcher.dispatch(call("2"))
    assert taken == ["1", "2"]


def test_who_is_called_may_listen_before_the_next_event_comes() -> None:
    heard: list[Event] = []

    def take(start: StasisStart) -> None:
        listening.enter_context(dispatcher.listen((Kind.CHANNEL, start.channel.id), heard.append))

    dispatcher = Dispatcher(take)
    dispatcher.hold()
    for event in (call("1"), end("1"), call("2")):
        dispatcher.dispatch(event)
    with ExitStack() as listening:
        dispatcher.release()
    assert heard == [end("1")]


def test_new_calls_wait_while_holding_and_come_in_their_order(
    dispatcher: Dispatcher, calls: list[StasisStart]
) -> None:
    dispatcher.hold()
    dispatcher.dispatch(call("1"))
    dispatcher.dispatch(call("2"))
    assert calls == []
    dispatcher.release()
    assert calls == [call("1"), call("2")]
    dispatcher.dispatch(call("3"))
    assert calls[-1] == call("3")


def test_a_call_that_is_adopted_hears_its_backlog_at_once_and_only_once(dispatcher: Dispatcher) -> None:
    heard: list[Event] = []
    dispatcher.hold()
    dispatcher.dispatch(end("1"))
    dispatcher.dispatch(end("2"))
    with dispatcher.listen((Kind.CHANNEL, "1"), heard.append):
        assert heard == [end("1")]
        dispatcher.release()
        assert heard == [end("1")]


def test_what_is_listened_to_is_not_held_up(dispatcher: Dispatcher) -> None:
    heard: list[Event] = []
    with dispatcher.listen((Kind.MARKER, "m"), heard.append):
        dispatcher.hold()
        dispatcher.dispatch(ChannelUserevent(AT, "m"))
        assert heard == [ChannelUserevent(AT, "m")]


def test_holding_twice_keeps_what_was_held(dispatcher: Dispatcher, calls: list[StasisStart]) -> None:
    dispatcher.hold()
    dispatcher.dispatch(call("1"))
    dispatcher.hold()
    dispatcher.release()
    assert calls == [call("1")]


async def test_the_first_event_of_the_expected_kind_is_the_answer(dispatcher: Dispatcher) -> None:
    playing, done = PlaybackInfo("p", "playing"), PlaybackInfo("p", "done")
    with dispatcher.expect((Kind.PLAYBACK, "p"), PlaybackFinished) as finished:
        dispatcher.dispatch(PlaybackStarted(AT, playing))
        assert not finished.done()
        dispatcher.dispatch(PlaybackFinished(AT, done))
        dispatcher.dispatch(PlaybackFinished(AT, PlaybackInfo("p", "failed")))
        assert (await finished).playback == done


async def test_who_gave_up_waiting_is_not_disturbed(dispatcher: Dispatcher) -> None:
    with dispatcher.expect((Kind.PLAYBACK, "p"), PlaybackFinished) as finished:
        finished.cancel()
        dispatcher.dispatch(PlaybackFinished(AT, PlaybackInfo("p", "done")))
    assert finished.cancelled()


def test_a_new_call_is_one_even_if_a_former_one_had_its_channel(
    dispatcher: Dispatcher, calls: list[StasisStart]
) -> None:
    """Asterisk has begun again within the second, and counts its channels anew."""
    heard: list[Event] = []
    with dispatcher.listen((Kind.CHANNEL, "1"), heard.append):
        dispatcher.hold()
        dispatcher.dispatch(call("1"))
        with dispatcher.listen((Kind.CHANNEL, "1"), heard.append):
            assert calls == []
            dispatcher.release()
    assert (heard, calls) == ([], [call("1")])
