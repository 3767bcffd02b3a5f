"""The fold: the state of a call after each of its entries. There is no second fold.

The live call applies each entry that it notes, a takeover those on the disk, the worker all of an ended call.

- An entry that is applied twice changes nothing: the CEL reader reads some lines again after a crash.
- The order of entries of different legs, or of a leg and its step, does not matter.
- An entry about a leg, message or recording that never began is ignored.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dialplan.result import Answer, Choice
from journal.entries import (
    BY_ENGINE,
    Answered,
    CallEnded,
    CallerLeft,
    CallerNotified,
    CallStarted,
    ClockStepped,
    DestinationLeftOut,
    Entry,
    FellBack,
    HandedOver,
    LegAnswered,
    LegAsked,
    LegConnected,
    LegEnded,
    LegRang,
    LegStarted,
    MessageEnded,
    MessageStarted,
    PartyNotified,
    RecordingStarted,
    StepPerformed,
    Turned,
)
from journal.values import ClockStep, Connected, Consent, Leg, LegEntry, Message, Recording, RecordingEntry

KEYS = "0123456789*#"


class NoBeginning(ValueError):
    """Entries without a CallStarted: their call is not known."""


@dataclass(slots=True)
class CallState:
    """A call according to its entries.

    Three instants: `answered` (the caller's bill begins), `connected` (a destination talks with the caller),
    and the `began` of a recording. `answered_to`: in older journals, the destination or "voicemail".
    `handed_over`: the hand-over whose Dial() runs; None before the first, and after the step of the latest.
    `fell_back`: since when Asterisk alone has the caller, at the number's fallback.
    `left`: the end of the caller's channel; `ending`: that of the call.
    `clock_steps`: how the clock of all these instants was set during the call.
    """

    call_id: str
    number: str
    owner: str
    caller: str
    withheld: bool
    began: datetime
    node: str
    channel: str
    routing: str = ""
    switches: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    trunk: str = ""  # the carrier that the call came from; "": unknown
    language: str = ""  # that which the caller chose; "": the owner's
    missed: Mapping[str, Any] | None = None
    left_out: tuple[DestinationLeftOut, ...] = ()
    legs: dict[str, Leg] = field(default_factory=dict)
    performed: list[StepPerformed] = field(default_factory=list)
    handovers: list[HandedOver] = field(default_factory=list)
    handed_over: HandedOver | None = None
    fell_back: datetime | None = None
    dialled: tuple[str, ...] = ()  # the destinations of the latest ring, in order
    answered: datetime | None = None
    answered_to: str = ""
    connected: Connected | None = None
    consent: Consent = Consent()  # noqa: RUF009 - frozen
    recordings: dict[str, Recording] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    left: CallerLeft | None = None
    ending: CallEnded | None = None
    clock_steps: tuple[ClockStep, ...] = ()

    @classmethod
    def begun(cls, start: CallStarted) -> "CallState":
        return cls(
            call_id=start.call,
            number=start.number,
            owner=start.owner,
            caller=start.caller,
            withheld=start.withheld,
            began=start.at,
            node=start.node,
            channel=start.channel,
            routing=start.routing,
            switches=start.switches,
            unreachable=start.unreachable,
            trunk=start.trunk,
            missed=start.missed,
        )

    # Queries of a live call and of a takeover.

    @property
    def outcomes(self) -> list[Answer]:
        """The answers of the steps performed so far, to be replayed through the route."""
        return [Choice(step.choice) if step.choice else step.outcome for step in self.performed]

    @property
    def choices(self) -> tuple[str, ...]:
        """The choices of the steps performed so far, in order: keys pressed, counts of calls, limits."""
        return tuple(step.choice for step in self.performed if step.choice)

    @property
    def keys(self) -> tuple[str, ...]:
        """What the caller entered in menus, in order."""
        return tuple(choice for choice in self.choices if choice[0] in KEYS)

    @property
    def open_legs(self) -> list[Leg]:
        """The legs that have not ended."""
        return [leg for leg in self.legs.values() if leg.ended is None]

    @property
    def talking(self) -> Leg | None:
        """The destination that talks with the caller now."""
        return next((leg for leg in self.open_legs if leg.connected is not None), None)

    @property
    def recording(self) -> Recording | None:
        """The latest recording of the conversation."""
        return next(reversed(self.recordings.values()), None)

    @property
    def message(self) -> Message | None:
        """The latest message of the caller."""
        return next(reversed(self.messages.values()), None)

    @property
    def is_recorded(self) -> bool:
        """Whether a recording is in progress, paused or not."""
        return self.recording is not None and self.recording.ended is None

    def may_record(self, leg: str) -> bool:
        """Whether a recording with this leg may begin; not after one was stopped, perhaps by the caller."""
        stopped = any(recording.how is not None for recording in self.recordings.values())
        return not stopped and self.consent.allows(leg)

    def lasted(self, since: datetime, until: datetime) -> timedelta:
        """Return the time between two instants of the call, corrected by the clock steps between them."""
        return self.steady(until) - self.steady(since)

    def steady(self, instant: datetime) -> datetime:
        """Return this instant of the call on a clock that was not set since the call began."""
        behind = len(self.clock_steps)
        while behind and self.clock_steps[behind - 1].is_earlier(instant):
            behind -= 1
        return instant - sum((step.by for step in self.clock_steps[:behind]), timedelta(0))

    @property
    def latest(self) -> datetime:
        """The latest instant that Asterisk reported, by the steady clock: a message may begin by ours."""
        return max(self._instants_of_legs(), key=self.steady)

    # The fold.

    def apply(self, entry: Entry) -> None:
        """Apply one more entry of this call."""
        match entry:
            case Answered() | LegConnected() if self.left is not None and self.left.unanswered:
                return  # read again
            case LegStarted() | LegRang() | LegAnswered() | LegAsked() | LegConnected() | LegEnded():
                self._apply_leg(entry)
            case Answered() | CallerLeft() | CallEnded():
                self._apply_instant(entry)
            case StepPerformed() | HandedOver():
                self._apply_step(entry)
            case FellBack():
                self.fell_back = self.fell_back or entry.at
                self.dialled = entry.to
            case CallerNotified() | PartyNotified():
                self.consent = self.consent.after(entry)
            case MessageStarted() | MessageEnded():
                self._apply_message(entry)
            case _ if isinstance(entry, RecordingEntry):
                self._apply_recording(entry)
            case ClockStepped():
                self._apply_clock_step(entry)
            case DestinationLeftOut():
                self.left_out = (*self.left_out, entry)
            case CallStarted():
                self._apply_start(entry)
            case Turned() if entry.language:
                self.language = entry.language
            # The others change nothing.

    def _apply_leg(self, entry: LegEntry) -> None:
        leg = self.legs.get(entry.leg)
        if leg is not None:
            self.legs[entry.leg] = leg.after(entry)
            if isinstance(entry, LegConnected) and (self.connected is None or entry.at < self.connected.at):
                self.connected = Connected(entry.at, entry.leg)
        elif isinstance(entry, LegStarted):
            self.legs[entry.leg] = Leg(entry.leg, entry.to, entry.at, trunk=entry.trunk)

    def _apply_instant(self, entry: Answered | CallerLeft | CallEnded) -> None:
        match entry:
            case Answered() if self.answered is None:
                self.answered, self.answered_to = entry.at, entry.to
            case Answered() if self.answered_to == BY_ENGINE:
                self.answered_to = entry.to
            case CallerLeft():
                self.left = entry
                if entry.unanswered and (talk := self.connected) is not None:
                    self.legs[talk.leg] = self.legs[talk.leg].unconnected()
                    self.answered, self.answered_to, self.connected = None, "", None
            case CallEnded():
                self.ending = entry

    def _apply_step(self, entry: StepPerformed | HandedOver) -> None:
        if isinstance(entry, HandedOver):
            if entry not in self.handovers:
                self.handovers.append(entry)
                self.handed_over = entry
                self.dialled = entry.to
        elif entry.at is None or entry not in self.performed:  # in older journals two may be equal
            self.performed.append(entry)
            self.handed_over = None

    def _apply_start(self, entry: CallStarted) -> None:
        """A fallback call may begin with CEL, which lacks the caller; ARI adds the caller a moment later."""
        self.began = min(self.began, entry.at)
        self.trunk = self.trunk or entry.trunk
        if not (self.caller or self.withheld):
            self.caller, self.withheld = entry.caller, entry.withheld

    def _apply_clock_step(self, entry: ClockStepped) -> None:
        if (entry.at, entry.before) not in ((step.at, step.before) for step in self.clock_steps):
            step = ClockStep.of(entry, frozenset(self._instants()))
            self.clock_steps = (*self.clock_steps, step)

    def _instants(self) -> Iterator[datetime]:
        """The instants between which durations are counted."""
        yield from self._instants_of_legs()
        for message in self.messages.values():
            yield from filter(None, (message.began, message.ended))

    def _instants_of_legs(self) -> Iterator[datetime]:
        """Those of the caller and the destinations, with what was recorded of them."""
        ends = (self.left, self.ending)
        instants = [self.began, self.answered, self.fell_back, *(end and end.at for end in ends)]
        for leg in self.legs.values():
            instants += [leg.began, leg.ringing, leg.answered, leg.connected, leg.ended]
        for recording in self.recordings.values():
            instants += [recording.began, recording.ended]
        yield from filter(None, instants)

    def _apply_message(self, entry: MessageStarted | MessageEnded) -> None:
        message = self.messages.get(entry.audio)
        if isinstance(entry, MessageStarted):
            if message is None:
                self.messages[entry.audio] = Message(entry.audio, entry.at, entry.deliver)
        elif message is not None:
            self.messages[entry.audio] = message.after(entry)

    def _apply_recording(self, entry: RecordingEntry) -> None:
        if isinstance(entry, RecordingStarted) and entry.audio not in self.recordings:
            recording = Recording(entry.audio, entry.at, entry.keep_seconds, entry.format, entry.leg)
            self.recordings[entry.audio] = recording
        elif (latest := self.recording) is not None:
            self.recordings[latest.audio] = latest.after(entry)


def fold(entries: Iterable[Entry]) -> CallState:
    """Return the state after the entries of one call, in order. Raises NoBeginning."""
    state: CallState | None = None
    for entry in entries:
        if state is not None:
            state.apply(entry)
        elif isinstance(entry, CallStarted):
            state = CallState.begun(entry)
    if state is None:
        raise NoBeginning("a call without a beginning")
    return state
