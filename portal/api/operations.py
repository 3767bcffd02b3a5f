"""Every operation of the API, as one table: the routes and the OpenAPI document are made of it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from dialplan.names import NAME
from portal.api import account, acts, audio, records, settings, shapes
from portal.api.bodies import Body, Sending, SettingsChange, Switching
from portal.api.queries import AudioQuery, CallsQuery, Page, Query, StatisticsQuery
from storage.api_tokens import Scope

PREFIX = "/api/v1"
UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PATTERNS: Mapping[str, str] = {
    "call_id": UUID,
    "message_id": f"{UUID}-[a-z0-9]{{1,12}}",
    "recording_id": f"{UUID}-[a-z0-9]{{1,12}}",
    "number": "[0-9]{7,15}",  # without the plus, which an address has to encode
    "switch": NAME,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """`scope` None: any token. `answer` None: audio. `logs`: reading it is a line of the access log.

    `status`: of the answer. `conditional`: the request needs If-Match.
    """

    name: str
    path: str
    summary: str
    scope: Scope | None
    query: type[Query]
    answer: type[shapes.Shape] | None
    perform: Callable[[Any], Awaitable[shapes.Shape | web.StreamResponse]]
    logs: bool = False
    method: str = "GET"
    body: type[Body] = Body
    status: HTTPStatus = HTTPStatus.OK
    conditional: bool = False

    @property
    def parameters(self) -> list[str]:
        """The names in its path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def route(self) -> str:
        """The path as aiohttp has it."""
        return PREFIX + re.sub(r"{(\w+)}", lambda match: f"{{{match[1]}:{PATTERNS[match[1]]}}}", self.path)


OPERATIONS: tuple[Operation, ...] = (
    Operation("getOwner", "/owner", "Whose data the token reads", None, Query, shapes.Owner, account.owner),
    Operation("listCalls", "/calls", "Call records, newest first", Scope.CALLS, CallsQuery, shapes.Calls,
              records.list_calls, logs=True),
    Operation("getCall", "/calls/{call_id}", "One call record", Scope.CALLS, Query, shapes.Call,
              records.get_call, logs=True),
    Operation("listMessages", "/messages", "Messages and missed calls, newest first", Scope.MESSAGES, Page,
              shapes.Messages, records.list_messages, logs=True),
    Operation("getMessage", "/messages/{message_id}", "One message", Scope.MESSAGES, Query, shapes.Message,
              records.get_message, logs=True),
    Operation("listRecordings", "/recordings", "Recordings, newest first", Scope.RECORDINGS, Page,
              shapes.Recordings, audio.list_recordings, logs=True),
    Operation("getRecording", "/recordings/{recording_id}", "One recording, without its audio",
              Scope.RECORDINGS, Query, shapes.Recording, audio.get_recording, logs=True),
    Operation("getAudio", "/recordings/{recording_id}/audio", "The audio; each fetch is in the access log",
              Scope.AUDIO, AudioQuery, None, audio.get_audio),
    Operation("listNumbers", "/numbers", "Service numbers in force", Scope.NUMBERS, Query, shapes.Numbers,
              account.list_numbers),
    Operation("getNumber", "/numbers/{number}", "One service number, without its plus", Scope.NUMBERS, Query,
              shapes.Number, account.get_number),
    Operation("listSwitches", "/numbers/{number}/switches", "The switches of its route", Scope.NUMBERS, Query,
              shapes.Switches, account.list_switches),
    Operation("getSettings", "/settings", "The owner's settings", Scope.SETTINGS, Query, shapes.Settings,
              settings.get_settings),
    Operation("listAccesses", "/accesses", "Who saw or heard what, newest first", Scope.ACCESSES, Page,
              shapes.Accesses, account.list_accesses),
    Operation("getStatistics", "/statistics", "Calls by outcome, hour and weekday", Scope.STATISTICS,
              StatisticsQuery, shapes.Statistics, account.get_statistics),
    Operation("changeSettings", "/settings", "Change some settings", Scope.WRITE_SETTINGS, Query,
              shapes.Settings, settings.change_settings, method="PATCH", body=SettingsChange,
              conditional=True),
    Operation("sendMessage", "/messages/{message_id}/send", "Send a message again, or to one more address",
              Scope.SEND_MESSAGES, Query, shapes.Sent, acts.send_message, method="POST", body=Sending,
              status=HTTPStatus.ACCEPTED),
    Operation("destroyRecording", "/recordings/{recording_id}", "Destroy it now; this cannot be undone",
              Scope.DESTROY_RECORDINGS, Query, shapes.Destruction, acts.destroy_recording, method="DELETE",
              status=HTTPStatus.ACCEPTED),
    Operation("putSwitch", "/numbers/{number}/switches/{switch}", "Put a switch on until a moment, or off",
              Scope.SWITCH, Query, shapes.Switch, acts.put_switch, method="PUT", body=Switching),
)  # fmt: skip
