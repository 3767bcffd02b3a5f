"""The operations of Asterisk's REST interface that the engine uses, one method each.

A method is named by its operation's Swagger nickname and takes its Swagger parameters, both in snake_case
(the convention of ari-py); `tests/live/test_ari_contract.py` compares them with the running Asterisk. All of
them raise `AriError`. The engine chooses every id before the request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from engine.ari import state
from engine.ari.http import Wire


@dataclass(frozen=True, slots=True)
class Reported:
    """A value that every later event has in `ChannelInfo.variables` (Asterisk >= 22.10)."""

    value: str


Variables = Mapping[str, str | Reported]


class Resource:
    """One group of operations of Asterisk's api-docs."""

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
        """Send events of these too: `channel:ID`, for the Dial events of its legs."""
        await self._post(
            "/applications/{applicationName}/subscription",
            applicationName=application_name,
            eventSource=event_source,
        )

    async def filter(
        self, application_name: str, disallowed: Sequence[str], allowed: Sequence[str] = ()
    ) -> None:
        """Do not send events of these types; if any types are `allowed`, send only those.

        Repeat it after every connect: the application may have no filter, or that of another engine.
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
        """Return the time of Asterisk's clock."""
        return state.instant((await self._get("/asterisk/ping"))["timestamp"])

    async def get_info(self) -> state.AsteriskInfo:
        return state.asterisk_info(await self._get("/asterisk/info"))

    async def list_modules(self) -> tuple[state.ModuleInfo, ...]:
        return tuple(map(state.module_info, await self._get("/asterisk/modules")))

    async def reload_module(self, module_name: str) -> None:
        await self._put("/asterisk/modules/{moduleName}", moduleName=module_name)

    async def get_global_var(self, variable: str) -> str:
        """Return its value, "" if it is not set."""
        return _value(await self._get("/asterisk/variable", variable=variable))

    async def set_global_var(self, variable: str, value: str) -> None:
        """It survives a dialplan reload, but not a restart of Asterisk."""
        await self._post("/asterisk/variable", variable=variable, value=value)


class Endpoints(Resource):
    async def get(self, tech: str, resource: str) -> str:
        """Return online, offline or unknown. Raises Gone if there is no such endpoint."""
        reply = await self._get("/endpoints/{tech}/{resource}", tech=tech, resource=resource)
        return str(reply["state"])


class Channels(Resource):
    """A command on a channel that has hung up raises Gone or Conflict, whichever comes first."""

    async def get(self, channel_id: str) -> state.ChannelInfo | None:
        """Return None for a ghost: a channel that exists, but has no valid JSON. Hang it up."""
        reply = await self._get("/channels/{channelId}", channelId=channel_id)
        return state.channel_info(reply) if reply is not None else None

    async def originate(self, endpoint: str, *, context: str, extension: str, priority: int) -> None:
        """Call this endpoint; once it has answered, it goes on in the dialplan."""
        await self._post(
            "/channels", endpoint=endpoint, context=context, extension=extension, priority=str(priority)
        )

    async def hangup(self, channel_id: str, *, reason_code: int | None = None) -> None:
        """`reason_code`: a Q.850 cause; the network of an unanswered caller gets a SIP answer for it."""
        await self._delete("/channels/{channelId}", channelId=channel_id, reason_code=reason_code)

    async def continue_in_dialplan(
        self,
        channel_id: str,
        *,
        context: str | None = None,
        extension: str | None = None,
        priority: int | None = None,
    ) -> None:
        await self._post(
            "/channels/{channelId}/continue",
            channelId=channel_id,
            context=context,
            extension=extension,
            priority=priority,
        )

    async def answer(self, channel_id: str) -> None:
        """The caller's charging begins."""
        await self._post("/channels/{channelId}/answer", channelId=channel_id)

    async def ring(self, channel_id: str) -> None:
        """Ringing: 180 before the answer, as sound where the caller has heard something already."""
        await self._post("/channels/{channelId}/ring", channelId=channel_id)

    async def ring_stop(self, channel_id: str) -> None:
        await self._delete("/channels/{channelId}/ring", channelId=channel_id)

    async def rtpstatistics(self, channel_id: str) -> bool:
        """Return whether the party on this channel has ever sent RTP or RTCP."""
        reply = await self._get("/channels/{channelId}/rtp_statistics", channelId=channel_id)
        return bool(reply["rxcount"] or reply["remote_ssrc"])

    async def start_silence(self, channel_id: str) -> None:
        """Send silence to the channel, until something is played to it."""
        await self._post("/channels/{channelId}/silence", channelId=channel_id)

    async def play_with_id(self, channel_id: str, playback_id: str, media: Sequence[str]) -> None:
        """Play; before the answer as early media. A missing file among several is skipped silently."""
        await self._post(
            "/channels/{channelId}/play/{playbackId}",
            channelId=channel_id,
            playbackId=playback_id,
            media=media,
        )

    async def record(
        self,
        channel_id: str,
        name: str,
        *,
        max_duration_seconds: int,
        max_silence_seconds: int,
        terminate_on: str,
    ) -> None:
        """Record WAV (8 kHz, 16 bit, mono) into the spool. Answers the channel; delays its other commands.

        Raises Conflict if a recording of this name exists.
        """
        await self._post(
            "/channels/{channelId}/record",
            channelId=channel_id,
            name=name,
            format="wav",
            maxDurationSeconds=max_duration_seconds,
            maxSilenceSeconds=max_silence_seconds,
            terminateOn=terminate_on,
        )

    async def snoop_channel_with_id(
        self, channel_id: str, snoop_id: str, *, app: str, app_args: str, whisper: str
    ) -> None:
        """Create a channel that plays into this one. `whisper`: out, to the party on this channel."""
        await self._post(
            "/channels/{channelId}/snoop/{snoopId}",
            channelId=channel_id,
            snoopId=snoop_id,
            app=app,
            appArgs=app_args,
            whisper=whisper,
        )

    async def get_channel_var(self, channel_id: str, variable: str) -> str:
        """Raises Gone for an unknown variable too, Unavailable for a function that is unreadable now."""
        return _value(
            await self._get("/channels/{channelId}/variable", channelId=channel_id, variable=variable)
        )

    async def set_channel_vars(self, channel_id: str, variables: Variables) -> None:
        await self._post("/channels/{channelId}/variables", channelId=channel_id, json=_body(variables))


class Events(Resource):
    async def user_event(self, event_name: str, application: str) -> None:
        """Accepted even for an application without a connection: only its arrival proves anything."""
        await self._post("/events/user/{eventName}", eventName=event_name, application=application)


class Playbacks(Resource):
    async def stop(self, playback_id: str) -> None:
        await self._delete("/playbacks/{playbackId}", playbackId=playback_id)


class Recordings(Resource):
    async def get_live(self, recording_name: str) -> None:
        """Raises Gone if no recording of this name is in progress."""
        await self._get("/recordings/live/{recordingName}", recordingName=recording_name)

    async def stop(self, recording_name: str) -> None:
        """End it and keep the file, which is complete at RecordingFinished."""
        await self._post("/recordings/live/{recordingName}/stop", recordingName=recording_name)

    async def get_stored(self, recording_name: str) -> None:
        """Raises Gone if there is no such file: it exists from the first moment of a recording."""
        await self._get("/recordings/stored/{recordingName}", recordingName=recording_name)


def _value(raw: state.Json) -> str:
    return str(raw["value"])


def _body(variables: Variables) -> state.Json:
    return {
        "variables": {
            name: {"value": value.value, "report_events": True} if isinstance(value, Reported) else value
            for name, value in variables.items()
        }
    }
