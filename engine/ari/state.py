"""Asterisk's channels, playbacks and recordings as values, from the JSON of events and replies.

Only `engine.ari` knows field names of this JSON. Instants are aware UTC datetimes of Asterisk's clock, in
milliseconds. Text that a caller sent is in no `repr`, so that no log can contain it; the caller's display
name is not even read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A channel. `caller_number` and `exten` (what was dialled) are untrusted text, up to 79 characters."""

    id: str
    state: str  # Down, Ring (a caller waits), Ringing (a destination rings), Up
    created: datetime
    caller_number: str = field(repr=False)
    exten: str
    application: str  # of the dialplan: Stasis while it is ours (or another's), Dial while it rings or talks
    variables: Mapping[str, str] = field(repr=False)  # those of `channelvars` in ari.conf, and reported ones


@dataclass(frozen=True, slots=True)
class AppInfo:
    """The channels of an application; ghosts too, whose JSON Asterisk cannot write."""

    channel_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AsteriskInfo:
    """`version`: such as "22.10.1+dfsg". Calls that came in before it `started` have ended."""

    version: str
    started: datetime


@dataclass(frozen=True, slots=True)
class ModuleInfo:
    name: str
    running: bool


@dataclass(frozen=True, slots=True)
class PlaybackInfo:
    id: str
    state: str  # queued, playing, continuing, done, failed


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """A recording in progress. `seconds` are whole, 0 for 0.78 s; "done" may be an empty file: measure it."""

    name: str
    seconds: int | None = None
    why: str = ""  # of its failure


def instant(text: str) -> datetime:
    """Asterisk writes 2026-11-24T10:09:47.260+0000, in the zone of its host."""
    return datetime.fromisoformat(text).astimezone(UTC)


def channel_info(raw: Json) -> ChannelInfo:
    return ChannelInfo(
        id=raw["id"],
        state=raw["state"],
        created=instant(raw["creationtime"]),
        caller_number=raw["caller"]["number"],
        exten=raw["dialplan"]["exten"],
        application=raw["dialplan"]["app_name"],
        variables=raw.get("channelvars", {}),
    )


def app_info(raw: Json) -> AppInfo:
    return AppInfo(tuple(raw["channel_ids"]))


def asterisk_info(raw: Json) -> AsteriskInfo:
    return AsteriskInfo(raw["system"]["version"], instant(raw["status"]["startup_time"]))


def module_info(raw: Json) -> ModuleInfo:
    return ModuleInfo(raw["name"], raw["status"] == "Running")


def playback_info(raw: Json) -> PlaybackInfo:
    return PlaybackInfo(raw["id"], raw["state"])


def recording_info(raw: Json) -> RecordingInfo:
    return RecordingInfo(raw["name"], raw.get("duration"), raw.get("cause", ""))
