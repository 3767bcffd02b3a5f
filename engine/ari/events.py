"""What Asterisk says, as values: one class for each of its events that the engine has a use for.

Instants are those of Asterisk's clock, in UTC. What a caller pressed is in no `repr`, so that no log can
show it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from engine.ari.state import (
    ChannelInfo,
    Json,
    PlaybackInfo,
    RecordingInfo,
    channel_info,
    instant,
    playback_info,
    recording_info,
)


class Kind(StrEnum):
    """What an event can be about."""

    CHANNEL = "channel"
    PLAYBACK = "playback"
    RECORDING = "recording"
    MARKER = "marker"


# A kind, and the id we chose for it: what one listens to.
Subject = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in Asterisk at an instant."""

    at: datetime

    @property
    def about(self) -> Subject | None:
        return None


@dataclass(frozen=True, slots=True)
class ChannelEvent(Event):
    channel: ChannelInfo

    @property
    def about(self) -> Subject:
        return Kind.CHANNEL, self.channel.id


@dataclass(frozen=True, slots=True)
class StasisStart(ChannelEvent):
    """A channel has entered our application: from now on it takes commands. `args` are those it came with."""

    args: tuple[str, ...]

    @property
    def is_call(self) -> bool:
        """A call that comes in; our own legs and snoops enter the application as well."""
        return self.args[:1] == ("in",)


@dataclass(frozen=True, slots=True)
class StasisEnd(ChannelEvent):
    """A channel has left our application: its end, as the record says it."""


@dataclass(frozen=True, slots=True)
class ChannelStateChange(ChannelEvent):
    pass


@dataclass(frozen=True, slots=True)
class ChannelDestroyed(ChannelEvent):
    """`cause` is Q.850."""

    cause: int


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived(ChannelEvent):
    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dial(ChannelEvent):
    """The state of a leg that Dial() made: `status` "" at its beginning, RINGING, PROGRESS, ANSWER."""

    status: str
    caller: str  # the caller's channel, "" where there is none

    @property
    def about(self) -> Subject:
        return Kind.CHANNEL, self.caller


@dataclass(frozen=True, slots=True)
class _OfPlayback(Event):
    playback: PlaybackInfo

    @property
    def about(self) -> Subject:
        return Kind.PLAYBACK, self.playback.id


@dataclass(frozen=True, slots=True)
class PlaybackStarted(_OfPlayback):
    pass


@dataclass(frozen=True, slots=True)
class PlaybackFinished(_OfPlayback):
    """It may never come (`recording:` of a missing file): wait with a deadline."""


@dataclass(frozen=True, slots=True)
class _OfRecording(Event):
    recording: RecordingInfo

    @property
    def about(self) -> Subject:
        return Kind.RECORDING, self.recording.name


@dataclass(frozen=True, slots=True)
class RecordingFinished(_OfRecording):
    """The file is closed: before StasisEnd, when a hang-up ended it."""


@dataclass(frozen=True, slots=True)
class RecordingFailed(_OfRecording):
    pass


@dataclass(frozen=True, slots=True)
class ChannelUserevent(Event):
    """What we sent ourselves by `events.user_event`: the link is alive, and all that came before is read."""

    name: str

    @property
    def about(self) -> Subject:
        return Kind.MARKER, self.name


@dataclass(frozen=True, slots=True)
class Other(Event):
    """An event that the engine has no use for."""

    type: str


def parse(raw: Json) -> Event:
    """The event that this JSON is. KeyError, TypeError, ValueError or AttributeError when it is none."""
    at = instant(raw["timestamp"])
    read = UNDERSTOOD.get(raw["type"])
    return read(at, raw) if read else Other(at, raw["type"])


def _of_channel(event: type[ChannelEvent]) -> Callable[[datetime, Json], Event]:
    return lambda at, raw: event(at, channel_info(raw["channel"]))


def _of_playback(event: type[_OfPlayback]) -> Callable[[datetime, Json], Event]:
    return lambda at, raw: event(at, playback_info(raw["playback"]))


def _of_recording(event: type[_OfRecording]) -> Callable[[datetime, Json], Event]:
    return lambda at, raw: event(at, recording_info(raw["recording"]))


UNDERSTOOD: Mapping[str, Callable[[datetime, Json], Event]] = {
    "StasisStart": lambda at, raw: StasisStart(at, channel_info(raw["channel"]), tuple(raw["args"])),
    "StasisEnd": _of_channel(StasisEnd),
    "ChannelStateChange": _of_channel(ChannelStateChange),
    "Dial": lambda at, raw: Dial(
        at, channel_info(raw["peer"]), raw["dialstatus"], raw.get("caller", {}).get("id", "")
    ),
    "ChannelDestroyed": lambda at, raw: ChannelDestroyed(at, channel_info(raw["channel"]), raw["cause"]),
    "ChannelDtmfReceived": lambda at, raw: ChannelDtmfReceived(
        at, channel_info(raw["channel"]), raw["digit"]
    ),
    "PlaybackStarted": _of_playback(PlaybackStarted),
    "PlaybackFinished": _of_playback(PlaybackFinished),
    "RecordingFinished": _of_recording(RecordingFinished),
    "RecordingFailed": _of_recording(RecordingFailed),
    "ChannelUserevent": lambda at, raw: ChannelUserevent(at, raw["eventname"]),
}

# What Asterisk may send that nobody listens to: a filter keeps it from the link, where it would cost both.
UNUSED = (
    "ApplicationMoveFailed", "ApplicationRegistered", "ApplicationReplaced", "ApplicationUnregistered",
    "BridgeAttendedTransfer", "BridgeBlindTransfer", "BridgeCreated", "BridgeDestroyed", "BridgeMerged",
    "BridgeVideoSourceChanged", "CallBroadcast", "CallClaimed",
    "ChannelCallerId", "ChannelConnectedLine", "ChannelCreated", "ChannelDialplan", "ChannelEnteredBridge",
    "ChannelHangupRequest", "ChannelHold", "ChannelLeftBridge", "ChannelTalkingFinished",
    "ChannelTalkingStarted", "ChannelToneDetected", "ChannelTransfer", "ChannelUnhold", "ChannelVarset",
    "ContactStatusChange", "DeviceStateChanged", "EndpointStateChange", "PeerStatusChange",
    "PlaybackContinuing", "RecordingStarted", "TextMessageReceived",
)  # fmt: skip
