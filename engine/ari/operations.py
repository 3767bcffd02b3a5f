"""The operations of Asterisk's REST interface that a call needs, one method each.

A method is named by its operation's Swagger nickname and takes its Swagger parameters, both in snake_case
(the convention of ari-py); `tests/live/test_ari_contract.py` holds them against the running Asterisk. All of
them raise `AriError`. All ids are ours, chosen before the request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from engine.ari import state
from engine.ari.http import Wire


@dataclass(frozen=True, slots=True)
class Reported:
    """A variable's value that will stand in every event's `ChannelInfo.variables` (Asterisk >= 22.10)."""

    value: str


Variables = Mapping[str, str | Reported]


class Resource:
    """One group of operations, as Asterisk's api-docs divide them."""

    def __init__(self, wire: Wire) -> None:
        self._get = partial(wire.send, "GET")
        self._post = partial(wire.send, "POST")
        self._put = partial(wire.send, "PUT")
        self._delete = partial(wire.send, "DELETE")


class Applications(Resource):
    async def get(self, application_name: str) -> state.AppInfo:
        return state.app_info(
            await self._get("/applications/{applicationName}", applicationName=application_name)
        )

    async def subscribe(self, application_name: str, event_source: Sequence[str]) -> None:
        """Hear of these too: `channel:ID`, for the cause with which a caller's channel is destroyed."""
        await self._post(
            "/applications/{applicationName}/subscription",
            applicationName=application_name,
            eventSource=event_source,
        )

    async def filter(
        self, application_name: str, disallowed: Sequence[str], allowed: Sequence[str] = ()
    ) -> None:
        """Do not send events of these types; if any are `allowed`, none but those.

        To be repeated after every connect: the application may have forgotten it, or keep another engine's.
        """
        await self._put(
            "/applications/{applicationName}/eventFilter",
            applicationName=application_name,
            json={
                "allowed": [{"type": event} for event in allowed],
                "disallowed": [{"type": event} for event in disallowed],
            },
        )


class Asterisk(Resource):
    async def ping(self) -> datetime:
        """Asterisk's clock."""
        return state.instant((await self._get("/asterisk/ping"))["timestamp"])

    async def get_info(self) -> state.AsteriskInfo:
        return state.asterisk_info(await self._get("/asterisk/info"))

    async def list_modules(self) -> tuple[state.ModuleInfo, ...]:
        return tuple(map(state.module_info, await self._get("/asterisk/modules")))

    async def reload_module(self, module_name: str) -> None:
        await self._put("/asterisk/modules/{moduleName}", moduleName=module_name)

    async def get_global_var(self, variable: str) -> str:
        """Empty when it was never set."""
        return _value(await self._get("/asterisk/variable", variable=variable))

    async def set_global_var(self, variable: str, value: str) -> None:
        """It survives a dialplan reload, and is gone after a restart of Asterisk."""
        await self._post("/asterisk/variable", variable=variable, value=value)


class Bridges(Resource):
    async def create_with_id(self, bridge_id: str) -> state.BridgeInfo:
        return state.bridge_info(await self._post("/bridges/{bridgeId}", bridgeId=bridge_id, type="mixing"))

    async def get(self, bridge_id: str) -> state.BridgeInfo:
        return state.bridge_info(await self._get("/bridges/{bridgeId}", bridgeId=bridge_id))

    async def destroy(self, bridge_id: str) -> None:
        """The channels in it stay, each for itself: a bridge never hangs up."""
        await self._delete("/bridges/{bridgeId}", bridgeId=bridge_id)

    async def add_channel(self, bridge_id: str, channel: Sequence[str]) -> None:
        """All of these or none. Raises Refused when one is dead, Conflict when one is being recorded."""
        await self._post("/bridges/{bridgeId}/addChannel", bridgeId=bridge_id, channel=channel)

    async def remove_channel(self, bridge_id: str, channel: Sequence[str]) -> None:
        await self._post("/bridges/{bridgeId}/removeChannel", bridgeId=bridge_id, channel=channel)

    async def list(self) -> tuple[state.BridgeInfo, ...]:
        return tuple(map(state.bridge_info, await self._get("/bridges")))


class Channels(Resource):
    """A command on a channel that has hung up raises Gone or Conflict, whichever comes first."""

    async def create(
        self,
        endpoint: str,
        app: str,
        *,
        channel_id: str,
        app_args: str = "",
        originator: str | None = None,
        formats: str | None = None,
        variables: Variables | None = None,
    ) -> state.ChannelInfo:
        """Make a leg, not dialled yet. Dial after its StasisStart: before, 37 of 100 tries were a Conflict.

        An application that does not exist is no error here: the channel dies later.
        """
        created = await self._post(
            "/channels/create",
            endpoint=endpoint,
            app=app,
            channelId=channel_id,
            appArgs=app_args,
            originator=originator,
            formats=formats,
            json=_body(variables or {}),
        )
        return state.channel_info(created)

    async def dial(
        self,
        channel_id: str,
        *,
        caller: str | None = None,
        timeout: int | None = None,  # noqa: ASYNC109 - it is Asterisk that rings so long
    ) -> None:
        """Dial a created leg for `timeout` seconds, showing number and presentation of channel `caller`."""
        await self._post("/channels/{channelId}/dial", channelId=channel_id, caller=caller, timeout=timeout)

    async def get(self, channel_id: str) -> state.ChannelInfo | None:
        """None for a ghost: a channel that is there, but whose JSON Asterisk cannot write. Hang it up."""
        found = await self._get("/channels/{channelId}", channelId=channel_id)
        return state.channel_info(found) if found is not None else None

    async def hangup(self, channel_id: str, *, reason_code: int | None = None) -> None:
        """`reason_code` is a Q.850 cause; an unanswered caller's network sees it as a SIP answer."""
        await self._delete("/channels/{channelId}", channelId=channel_id, reason_code=reason_code)

    async def continue_in_dialplan(
        self,
        channel_id: str,
        *,
        context: str | None = None,
        extension: str | None = None,
        priority: int | None = None,
        label: str | None = None,
    ) -> None:
        await self._post(
            "/channels/{channelId}/continue",
            channelId=channel_id,
            context=context,
            extension=extension,
            priority=priority,
            label=label,
        )

    async def answer(self, channel_id: str) -> None:
        """The caller's charging starts."""
        await self._post("/channels/{channelId}/answer", channelId=channel_id)

    async def ring(self, channel_id: str) -> None:
        await self._post("/channels/{channelId}/ring", channelId=channel_id)

    async def ring_stop(self, channel_id: str) -> None:
        await self._delete("/channels/{channelId}/ring", channelId=channel_id)

    async def progress(self, channel_id: str) -> None:
        await self._post("/channels/{channelId}/progress", channelId=channel_id)

    async def start_silence(self, channel_id: str) -> None:
        """Send silence to the channel, until something is played to it."""
        await self._post("/channels/{channelId}/silence", channelId=channel_id)

    async def play_with_id(
        self, channel_id: str, playback_id: str, media: Sequence[str]
    ) -> state.PlaybackInfo:
        """Play; before the answer as early media. Of several media a missing one is skipped silently."""
        playback = await self._post(
            "/channels/{channelId}/play/{playbackId}",
            channelId=channel_id,
            playbackId=playback_id,
            media=media,
        )
        return state.playback_info(playback)

    async def record(
        self,
        channel_id: str,
        name: str,
        *,
        max_duration_seconds: int = 0,
        max_silence_seconds: int = 0,
        if_exists: str = "fail",
        beep: bool = False,
        terminate_on: str = "none",
    ) -> state.RecordingInfo:
        """Record WAV (8 kHz, 16 bit, mono) into the spool. Answers the channel; delays its other commands."""
        recording = await self._post(
            "/channels/{channelId}/record",
            channelId=channel_id,
            name=name,
            format="wav",
            maxDurationSeconds=max_duration_seconds,
            maxSilenceSeconds=max_silence_seconds,
            ifExists=if_exists,
            beep=beep,
            terminateOn=terminate_on,
        )
        return state.recording_info(recording)

    async def snoop_channel_with_id(
        self,
        channel_id: str,
        snoop_id: str,
        *,
        app: str,
        app_args: str,
        spy: str = "none",
        whisper: str = "none",
    ) -> state.ChannelInfo:
        """`spy`: in (what the channel says), out (what it hears), both. `whisper`: out, for it to hear."""
        snoop = await self._post(
            "/channels/{channelId}/snoop/{snoopId}",
            channelId=channel_id,
            snoopId=snoop_id,
            app=app,
            appArgs=app_args,
            spy=spy,
            whisper=whisper,
        )
        return state.channel_info(snoop)

    async def get_channel_var(self, channel_id: str, variable: str) -> str:
        """Raises Gone for an unknown variable too, Unavailable for a function that cannot be read now."""
        return _value(
            await self._get("/channels/{channelId}/variable", channelId=channel_id, variable=variable)
        )

    async def set_channel_var(self, channel_id: str, variable: str, value: str) -> None:
        await self._post(
            "/channels/{channelId}/variable", channelId=channel_id, variable=variable, value=value
        )

    async def set_channel_vars(self, channel_id: str, variables: Variables) -> None:
        await self._post("/channels/{channelId}/variables", channelId=channel_id, json=_body(variables))

    async def list(self) -> tuple[state.ChannelInfo, ...]:
        """Raises Unavailable while there is one ghost; `Applications.get` always names them all."""
        return tuple(map(state.channel_info, await self._get("/channels")))


class Events(Resource):
    async def user_event(self, event_name: str, application: str) -> None:
        """Accepted even for an application nobody listens to: only its coming back proves anything."""
        await self._post("/events/user/{eventName}", eventName=event_name, application=application)


class Playbacks(Resource):
    async def get(self, playback_id: str) -> state.PlaybackInfo:
        return state.playback_info(await self._get("/playbacks/{playbackId}", playbackId=playback_id))

    async def stop(self, playback_id: str) -> None:
        await self._delete("/playbacks/{playbackId}", playbackId=playback_id)


class Recordings(Resource):
    async def get_live(self, recording_name: str) -> state.RecordingInfo:
        return state.recording_info(
            await self._get("/recordings/live/{recordingName}", recordingName=recording_name)
        )

    async def stop(self, recording_name: str) -> None:
        """End it and keep the file, which is whole at RecordingFinished."""
        await self._post("/recordings/live/{recordingName}/stop", recordingName=recording_name)

    async def mute(self, recording_name: str) -> None:
        """Record digital silence from now on; the time goes on. (`pause` would take the time out.)"""
        await self._post("/recordings/live/{recordingName}/mute", recordingName=recording_name)

    async def unmute(self, recording_name: str) -> None:
        await self._delete("/recordings/live/{recordingName}/mute", recordingName=recording_name)

    async def cancel(self, recording_name: str) -> None:
        """End it and throw the file away; its RecordingFinished says "done" all the same."""
        await self._delete("/recordings/live/{recordingName}", recordingName=recording_name)

    async def get_stored(self, recording_name: str) -> state.StoredInfo:
        """Also of a recording in the making: its file is there from the first moment."""
        return state.stored_info(
            await self._get("/recordings/stored/{recordingName}", recordingName=recording_name)
        )


def _value(raw: state.Json) -> str:
    return str(raw["value"])


def _body(variables: Variables) -> state.Json:
    return {
        "variables": {
            name: {"value": given.value, "report_events": True} if isinstance(given, Reported) else given
            for name, given in variables.items()
        }
    }
