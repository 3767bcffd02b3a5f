"""Asterisk's events as values: one class for each event that the engine uses.

Instants are of Asterisk's clock, in UTC. The keys that a caller pressed are in no `repr`, so that no log can
contain them.
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
    """The kinds of subjects of an event."""

    CHANNEL = "channel"
    PLAYBACK = "playback"
    RECORDING = "recording"
    MARKER = "marker"


# A kind and an id: what a listener listens to.
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
    """A channel has entered our application: from now on it takes commands. `args`: those of Stasis()."""

    args: tuple[str, ...]

    @property
    def is_call(self) -> bool:
        """Whether it is a new call: whispers, and callers who return, enter the application too."""
        return self.args[:1] == ("in",)


@dataclass(frozen=True, slots=True)
class StasisEnd(ChannelEvent):
    """A channel has left our application: its end in the record."""


@dataclass(frozen=True, slots=True)
class ChannelStateChange(ChannelEvent):
    pass


@dataclass(frozen=True, slots=True)
class ChannelDestroyed(ChannelEvent):
    """`cause`: Q.850."""

    cause: int


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived(ChannelEvent):
    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dial(ChannelEvent):
    """The state of a leg of Dial(): `status` "" at the beginning, then RINGING, PROGRESS, ANSWER."""

    status: str
    caller: str  # the caller's channel, or ""

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
    """It may never come (`recording:` of a missing file): wait for it with a deadline."""


@dataclass(frozen=True, slots=True)
class _OfRecording(Event):
    recording: RecordingInfo

    @property
    def about(self) -> Subject:
        return Kind.RECORDING, self.recording.name


@dataclass(frozen=True, slots=True)
class RecordingFinished(_OfRecording):
    """The file is closed; before StasisEnd if a hang-up ended it."""


@dataclass(frozen=True, slots=True)
class RecordingFailed(_OfRecording):
    pass


@dataclass(frozen=True, slots=True)
class ChannelUserevent(Event):
    """An event that the engine sent by `events.user_event`: all events before it have arrived."""

    name: str

    @property
    def about(self) -> Subject:
        return Kind.MARKER, self.name


@dataclass(frozen=True, slots=True)
class Other(Event):
    """An event that the engine does not use."""

    type: str


def parse(raw: Json) -> Event:
    """Parse an event. Raises KeyError, TypeError, ValueError or AttributeError if it is not one."""
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

# Events that the engine does not use: a filter keeps them from the link, where they would cost CPU twice.
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
