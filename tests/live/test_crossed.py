"""A caller who gives up in the moment in which a destination answers: both messages are on their way."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from devkit.wire import Message
from storage.records import CallRecord, LegRecord
from tests.lateness import PATIENCE
from tests.live.agreed import new_caller
from tests.live.conversation import assert_near
from tests.live.service import House, watching
from tests.live.sip import Agent, Call, Ringing

ATTEMPTS = 10  # at most, until Asterisk's threads run in the order that a test is about


@dataclass
class Crossing:
    """A call that rings, and both its telephones. `answered`: when the destination answered."""

    house: House
    carrier: Agent
    telephone: Agent
    number: str = ""
    answered: datetime = field(init=False)

    def ring(self) -> None:
        self.number, to = self.house.ringing()
        sip = self.house.run.sip
        self.call = Call(
            self.telephone, sip, self.number, f'"S" <sip:{new_caller()}@caller.example>'
        ).invite()
        self.leg = Ringing.wait(self.carrier, sip, to)
        self.leg.ring()
        self.telephone.expect(lambda reply: self._is_reply(reply, 180))

    def answer(self) -> None:
        self.answered = datetime.now(UTC)
        self.leg.answer()

    def cancel(self) -> None:
        """Give up, without waiting for what Asterisk replies."""
        self.call.say(self.call.request("CANCEL"))

    def is_cancelled(self) -> None:
        """The caller's network receives 487: the call was cancelled."""
        assert self.call.final() == 487

    def leg_is_ended(self) -> None:
        """The destination's network receives a BYE."""
        bye = self.carrier.expect(lambda m: m.method == "BYE" and m.one("call-id") == self.leg.call_id)
        self.carrier.send(bye.reply(200), self.leg.to)

    def is_answered(self) -> None:
        """The caller's network has the 200; it does not acknowledge it yet."""
        while not any(self._is_reply(reply, 200) for reply in self.telephone.heard):
            assert self.telephone.listen(PATIENCE)

    def _is_reply(self, reply: Message, status: int) -> bool:
        return reply.start.startswith(f"SIP/2.0 {status}") and f"tag={self.call.tag}" in reply.text

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is sent meanwhile reaches an Asterisk that reads it in one go, in that order."""
        process = self.house.asterisk.process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)


@pytest.fixture
def crossing(house: House) -> Iterator[Crossing]:
    with Agent(house.carrier_port) as carrier, Agent() as telephone:
        yield Crossing(house, carrier, telephone)


async def recorded(crossing: Crossing) -> tuple[CallRecord, LegRecord]:
    """The one record of that call, and its leg."""
    async with watching(crossing.house) as service:
        record = await service.record(crossing.number)
    (leg,) = record.legs
    return record, leg


def assert_abandoned(record: CallRecord) -> None:
    """The caller is not billed, and nobody talked with them."""
    assert (record.outcome, record.ended_by, record.cause) == ("abandoned", "caller", 16)
    assert (record.answered, record.connected, record.delivered_to) == (None, None, "")
    assert record.talk == timedelta(0)


async def test_a_destination_whose_answer_comes_behind_the_callers_cancel_was_answered(
    crossing: Crossing,
) -> None:
    """Dial sees the caller leave first, so CEL has no ANSWER of the leg; but its last response was 200."""
    statuses: list[int] = []
    for _ in range(ATTEMPTS):
        crossing.ring()
        with crossing.together():
            crossing.cancel()
            crossing.answer()
        crossing.is_cancelled()
        crossing.leg_is_ended()
        record, leg = await recorded(crossing)
        assert_abandoned(record)
        assert (leg.outcome, leg.cause, leg.connected) == ("no_answer", 16, None)
        assert_near(leg.ended, crossing.answered)
        # Without 200 Dial has read the answer, and CEL has its line; or the leg had ended before its answer.
        if 200 in (statuses := [*statuses, leg.sip]):
            assert leg.answered == leg.ended
            return
    raise AssertionError(f"Asterisk's threads ran in another order {ATTEMPTS} times: {statuses}")


async def test_a_destination_that_refuses_behind_the_callers_cancel_was_busy(crossing: Crossing) -> None:
    """Dial has given the leg the caller's cause by then: the leg's own SIP status counts.

    Seen once, on a busy machine: the leg has the cause of the 486, and no status. Its outcome is the same.
    """
    seen = []
    for _ in range(ATTEMPTS):
        crossing.ring()
        with crossing.together():
            crossing.cancel()
            crossing.leg.reply(486)
        crossing.is_cancelled()
        record, leg = await recorded(crossing)
        if (record.outcome, record.ended_by, record.cause) != ("busy", "engine", 17):  # Dial saw 486 first
            assert_abandoned(record)
            seen.append((leg.outcome, leg.cause, leg.sip))
    assert set(seen) <= {("busy", 17, 486), ("busy", 17, 0), ("no_answer", 16, 180)}
    assert ("busy", 17, 486) in seen


async def test_a_caller_whose_cancel_comes_behind_the_destinations_answer_is_not_billed(
    crossing: Crossing,
) -> None:
    """Asterisk writes ANSWER of the caller before it sends the 200; it has sent 487 instead."""
    for _ in range(ATTEMPTS):
        crossing.ring()
        with crossing.together():
            crossing.answer()
            crossing.cancel()
        crossing.is_cancelled()
        crossing.leg_is_ended()
        record, leg = await recorded(crossing)
        assert_abandoned(record)
        assert (leg.outcome, leg.cause, leg.connected) == ("no_answer", 16, None)
        if any(entry.get("unanswered") for entry in crossing.house.journal.of_number(crossing.number)):
            assert_near(leg.answered, crossing.answered)
            return
    raise AssertionError(f"Asterisk saw the CANCEL in time {ATTEMPTS} times")


async def test_a_caller_whose_cancel_crosses_the_answer_to_them_is_billed_until_their_bye(
    crossing: Crossing,
) -> None:
    crossing.ring()
    crossing.answer()
    crossing.is_answered()
    answered = datetime.now(UTC)
    crossing.cancel()
    assert crossing.call.final() == 200
    crossing.call.hang_up()
    ended = datetime.now(UTC)
    crossing.leg_is_ended()
    record, leg = await recorded(crossing)
    assert (record.outcome, record.ended_by, record.cause) == ("answered", "caller", 16)
    assert_near(record.answered, answered)
    assert_near(record.ended, ended)
    assert (leg.outcome, leg.to) == ("taken", record.delivered_to)


async def test_of_a_destination_that_answers_after_it_was_cancelled_asterisk_reports_nothing(
    crossing: Crossing,
) -> None:
    """The limit: Asterisk has ended the leg's channel when it sends CANCEL, and the 200 comes to none."""
    crossing.ring()
    crossing.cancel()
    cancel = crossing.carrier.expect(
        lambda m: m.method == "CANCEL" and m.one("call-id") == crossing.leg.call_id
    )
    crossing.answer()
    crossing.carrier.send(cancel.reply(200), crossing.leg.to)
    crossing.is_cancelled()
    crossing.leg_is_ended()
    record, leg = await recorded(crossing)
    assert_abandoned(record)
    assert (leg.outcome, leg.cause, leg.sip, leg.answered) == ("no_answer", 16, 180, None)
    assert_near(leg.ended, crossing.answered)
