"""What Asterisk says, as values: one class for each of its events that the engine has a use for.

Instants are those of Asterisk's clock, in UTC. What a caller pressed is in no `repr`, so that no log can
show it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from engine.ari.state import (
    BridgeInfo,
    ChannelInfo,
    Json,
    PlaybackInfo,
    RecordingInfo,
    bridge_info,
    channel_info,
    instant,
    playback_info,
    recording_info,
)


class Kind(StrEnum):
    """What an event can be about."""

    CHANNEL = "channel"
    BRIDGE = "bridge"
    PLAYBACK = "playback"
    RECORDING = "recording"
    MARKER = "marker"
    APPLICATION = "application"


# A kind, and the id we chose for it: what one listens to.
Subject = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in Asterisk at an instant."""

    at: datetime

    @property
    def about(self) -> tuple[Subject, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class ChannelEvent(Event):
    channel: ChannelInfo

    @property
    def about(self) -> tuple[Subject, ...]:
        return ((Kind.CHANNEL, self.channel.id),)


@dataclass(frozen=True, slots=True)
class StasisStart(ChannelEvent):
    """A channel has entered our application: from now on it takes commands. `args` are those it came with."""

    args: tuple[str, ...]
    replaced: str | None = None

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
    """`cause` is Q.850; `tech_cause` the SIP status, where there was one."""

    cause: int
    tech_cause: int | None = None


@dataclass(frozen=True, slots=True)
class ChannelHangupRequest(ChannelEvent):
    """`tech_cause`: the SIP status, when the far end hung up, and not Asterisk or we."""

    cause: int | None = None
    tech_cause: int | None = None


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived(ChannelEvent):
    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChannelHold(ChannelEvent):
    pass


@dataclass(frozen=True, slots=True)
class ChannelUnhold(ChannelEvent):
    pass


@dataclass(frozen=True, slots=True)
class Dial(ChannelEvent):
    """The state of a leg that Dial() made: `status` "" at its beginning, RINGING, PROGRESS, ANSWER."""

    status: str
    caller: str  # the caller's channel, "" where there is none

    @property
    def about(self) -> tuple[Subject, ...]:
        return ((Kind.CHANNEL, self.caller),)


@dataclass(frozen=True, slots=True)
class _InBridge(ChannelEvent):
    bridge: BridgeInfo

    @property
    def about(self) -> tuple[Subject, ...]:
        return (Kind.CHANNEL, self.channel.id), (Kind.BRIDGE, self.bridge.id)


@dataclass(frozen=True, slots=True)
class ChannelEnteredBridge(_InBridge):
    pass


@dataclass(frozen=True, slots=True)
class ChannelLeftBridge(_InBridge):
    pass


@dataclass(frozen=True, slots=True)
class _OfPlayback(Event):
    playback: PlaybackInfo

    @property
    def about(self) -> tuple[Subject, ...]:
        return ((Kind.PLAYBACK, self.playback.id),)


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
    def about(self) -> tuple[Subject, ...]:
        return ((Kind.RECORDING, self.recording.name),)


@dataclass(frozen=True, slots=True)
class RecordingStarted(_OfRecording):
    pass


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
    def about(self) -> tuple[Subject, ...]:
        return ((Kind.MARKER, self.name),)


@dataclass(frozen=True, slots=True)
class _OfApplication(Event):
    name: str

    @property
    def about(self) -> tuple[Subject, ...]:
        return ((Kind.APPLICATION, self.name),)


@dataclass(frozen=True, slots=True)
class ApplicationRegistered(_OfApplication):
    """The last of what Asterisk had queued while nobody listened."""


@dataclass(frozen=True, slots=True)
class ApplicationReplaced(_OfApplication):
    """Another engine has taken the application: stop, never fight back."""


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


def _in_bridge(event: type[_InBridge]) -> Callable[[datetime, Json], Event]:
    return lambda at, raw: event(at, channel_info(raw["channel"]), bridge_info(raw["bridge"]))


def _of_playback(event: type[_OfPlayback]) -> Callable[[datetime, Json], Event]:
    return lambda at, raw: event(at, playback_info(raw["playback"]))


def _of_recording(event: type[_OfRecording]) -> Callable[[datetime, Json], Event]:
    return lambda at, raw: event(at, recording_info(raw["recording"]))


UNDERSTOOD: Mapping[str, Callable[[datetime, Json], Event]] = {
    "StasisStart": lambda at, raw: StasisStart(
        at, channel_info(raw["channel"]), tuple(raw["args"]), raw.get("replace_channel", {}).get("id")
    ),
    "StasisEnd": _of_channel(StasisEnd),
    "ChannelStateChange": _of_channel(ChannelStateChange),
    "ChannelHold": _of_channel(ChannelHold),
    "ChannelUnhold": _of_channel(ChannelUnhold),
    "Dial": lambda at, raw: Dial(
        at, channel_info(raw["peer"]), raw["dialstatus"], raw.get("caller", {}).get("id", "")
    ),
    "ChannelDestroyed": lambda at, raw: ChannelDestroyed(
        at, channel_info(raw["channel"]), raw["cause"], raw.get("tech_cause")
    ),
    "ChannelHangupRequest": lambda at, raw: ChannelHangupRequest(
        at, channel_info(raw["channel"]), raw.get("cause"), raw.get("tech_cause")
    ),
    "ChannelDtmfReceived": lambda at, raw: ChannelDtmfReceived(
        at, channel_info(raw["channel"]), raw["digit"]
    ),
    "ChannelEnteredBridge": _in_bridge(ChannelEnteredBridge),
    "ChannelLeftBridge": _in_bridge(ChannelLeftBridge),
    "PlaybackStarted": _of_playback(PlaybackStarted),
    "PlaybackFinished": _of_playback(PlaybackFinished),
    "RecordingStarted": _of_recording(RecordingStarted),
    "RecordingFinished": _of_recording(RecordingFinished),
    "RecordingFailed": _of_recording(RecordingFailed),
    "ChannelUserevent": lambda at, raw: ChannelUserevent(at, raw["eventname"]),
    "ApplicationRegistered": lambda at, raw: ApplicationRegistered(at, raw["application"]),
    "ApplicationReplaced": lambda at, raw: ApplicationReplaced(at, raw["application"]),
}

# What Asterisk may send that is of no use: a filter keeps it from the link. Of some 45 events of a call 15
# are left, 10.1 kB; with those that are understood but that nobody listens to, 19 and 13.9 kB.
UNHEARD = (
    "ChannelEnteredBridge", "ChannelHold", "ChannelLeftBridge", "ChannelUnhold",
    "RecordingStarted",
)  # fmt: skip
UNUSED = (
    *UNHEARD,
    "ApplicationMoveFailed", "ApplicationUnregistered",
    "BridgeAttendedTransfer", "BridgeBlindTransfer", "BridgeCreated", "BridgeDestroyed", "BridgeMerged",
    "BridgeVideoSourceChanged", "CallBroadcast", "CallClaimed",
    "ChannelCallerId", "ChannelConnectedLine", "ChannelCreated", "ChannelDialplan", "ChannelTalkingFinished",
    "ChannelTalkingStarted", "ChannelToneDetected", "ChannelTransfer", "ChannelVarset",
    "ContactStatusChange", "DeviceStateChanged", "EndpointStateChange", "PeerStatusChange",
    "PlaybackContinuing", "TextMessageReceived",
)  # fmt: skip
