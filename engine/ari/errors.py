"""What can go wrong between the engine and Asterisk, as types: whoever gave the command decides by them."""

from typing import Any


class AriError(Exception):
    """A command that Asterisk did not carry out.

    `status` is HTTP's, 0 without a reply. `what` names the operation by its path template and Asterisk's
    reason: no id, number or value gets into a log by way of an error.
    """

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"{what} ({status})" if status else what)
        self.status = status


class Gone(AriError):
    """404: the channel, playback or recording is no more. When letting go, that is success."""


class Conflict(AriError):
    """409: the channel is not in our application; or the id is taken, so the thing is there already.

    Not to be provoked: after one create with a taken id, Asterisk 22.10.1 takes 16 s to end, not 1.
    """


class BadState(AriError):
    """412: the channel is not in a state for this (answering one that is up, say)."""


class Refused(AriError):
    """400, 401, 403, 422: this command will never work."""


class Unavailable(AriError):
    """Not done: Asterisk cannot be reached, or answered 5xx."""


class NoReply(Unavailable):
    """The connection broke or time ran out after the command was sent: it may have been carried out or not.

    Commands that change something are not repeated; look the thing up by its id, which is ours, then decide.
    """


class NotReady(Unavailable):
    """Asterisk is still starting: 404 as HTML while modules load, then 503 "not booted" (res_ari.c)."""


class PortTaken(Exception):
    """The port where Asterisk is to deliver its events is in use: most likely by another engine."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"{host}:{port} is taken, so Asterisk's events cannot come in: stop the other engine, or set "
            "another port here and in websocket_client.conf"
        )


_BY_STATUS = {404: Gone, 409: Conflict, 412: BadState, 503: NotReady}


def refusal(status: int, body: Any, operation: str) -> AriError:
    """The error that a reply of 400 and above stands for.

    `body` is its JSON, None if it was something else.
    """
    if status == 404 and body is None:
        return NotReady(status, f"{operation}: Asterisk is loading its modules")
    kind = _BY_STATUS.get(status) or (Unavailable if status >= 500 else Refused)
    return kind(status, f"{operation}: {_reason(status, body)}")


def _reason(status: int, body: Any) -> str:
    if status == 401:
        return "user or password is not the one of ari.conf"
    if isinstance(body, dict):
        return str(body.get("message") or body.get("error") or "refused")
    return "refused"
