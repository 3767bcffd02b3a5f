"""How a command is written, and what its reply means."""

import json
from collections.abc import Sequence

import pytest

from engine.ari import errors
from engine.ari.connection import Reply
from engine.ari.http import Value, read, target


@pytest.mark.parametrize(
    ("path", "params", "written"),
    [
        ("/asterisk/info", {}, "/asterisk/info"),
        ("/channels/{channelId}/answer", {"channelId": "call-b1"}, "/channels/call-b1/answer"),
        ("/channels/{channelId}", {"channelId": "PJSIP/x"}, "/channels/PJSIP%2Fx"),
        (
            "/recordings/live/{recordingName}",
            {"recordingName": "../a?b#c"},
            "/recordings/live/..%2Fa%3Fb%23c",
        ),
        (
            "/channels/{channelId}/dial",
            {"channelId": "a", "timeout": 20, "caller": None},
            "/channels/a/dial?timeout=20",
        ),
        (
            "/channels/create",
            {"endpoint": "PJSIP/+32470@trunk"},
            "/channels/create?endpoint=PJSIP%2F%2B32470%40trunk",
        ),
        (
            "/asterisk/variable",
            {"variable": "X", "value": "a&b=c d%"},
            "/asterisk/variable?variable=X&value=a%26b%3Dc%20d%25",
        ),
        (
            "/bridges/{bridgeId}/addChannel",
            {"bridgeId": "br", "channel": ["a", "b"]},
            "/bridges/br/addChannel?channel=a%2Cb",
        ),
        ("/channels/{channelId}/record", {"channelId": "a", "beep": False}, "/channels/a/record?beep=false"),
        (
            "/asterisk/variable",
            {"variable": "{value}", "value": "0"},
            "/asterisk/variable?variable=%7Bvalue%7D&value=0",
        ),
    ],
)
def test_every_value_is_quoted_where_it_belongs(path: str, params: dict[str, Value], written: str) -> None:
    assert target(path, params) == written


@pytest.mark.parametrize(
    ("status", "content_type", "body", "kind"),
    [
        (404, "application/json", b'{"message":"Channel not found"}', errors.Gone),
        (409, "application/json", b'{"message":"Channel not in Stasis application"}', errors.Conflict),
        (412, "application/json", b'{"message":"Channel in invalid state"}', errors.BadState),
        (400, "application/json", b'{"message":"Missing parameter"}', errors.Refused),
        (422, "application/json", b'{"message":"Format not found"}', errors.Refused),
        (401, "application/json", b'{"error":"Authentication required"}', errors.Refused),
        (500, "application/json", b'{"message":"Allocation failed"}', errors.Unavailable),
        (503, "application/json", b'{"message":"Asterisk not booted"}', errors.NotReady),
        (404, "text/html", b"<html>Not Found</html>", errors.NotReady),
        (200, "application/json", b'{"id":', errors.Unavailable),
    ],
)
def test_each_refusal_is_an_error_of_its_own(
    status: int, content_type: str, body: bytes, kind: type[errors.AriError]
) -> None:
    with pytest.raises(errors.AriError) as raised:
        read(Reply(status, content_type, body), "POST /channels/{channelId}/dial")
    assert type(raised.value) is kind
    assert raised.value.status == status
    assert "POST /channels/{channelId}/dial" in str(raised.value)


def test_what_is_missing_is_no_less_unavailable() -> None:
    assert issubclass(errors.NotReady, errors.Unavailable)
    assert issubclass(errors.NoReply, errors.Unavailable)


@pytest.mark.parametrize(
    ("content_type", "body", "content"),
    [
        ("application/octet-stream", b"", None),
        ("application/json", b"null", None),
        ("application/json", b"[1]", [1]),
    ],
)
def test_a_reply_is_its_json_or_nothing(
    content_type: str, body: bytes, content: Sequence[int] | None
) -> None:
    assert read(Reply(200, content_type, body), "GET /x") == content


def test_the_reason_is_asterisks_own() -> None:
    body = json.dumps({"message": "Channel not in Stasis application"}).encode()
    with pytest.raises(errors.Conflict, match=r"Channel not in Stasis application \(409\)"):
        read(Reply(409, "application/json", body), "POST /channels/{channelId}/dial")
