"""Errors between the engine and Asterisk, as types on which the sender of a command decides."""

from typing import Any


class AriError(Exception):
    """A command that Asterisk did not carry out.

    `status`: of HTTP, 0 without a reply. `what` contains the path template of the operation and Asterisk's
    reason, so that an error brings no id, number or value into a log.
    """

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"{what} ({status})" if status else what)
        self.status = status


class Gone(AriError):
    """404: the channel, playback or recording does not exist any more; to end it, that is success."""


class Conflict(AriError):
    """409: the channel is not in our application; or the id is in use, so the resource exists already.

    Do not provoke it: after one create with an id in use, Asterisk 22.10.1 takes 16 s to stop, not 1.
    """


class BadState(AriError):
    """412: the channel is in a state that does not allow this, such as answering one that is up."""


class Refused(AriError):
    """400, 401, 403, 422: this command can never succeed."""


class Unavailable(AriError):
    """Not carried out: Asterisk cannot be reached, or answered 5xx."""


class NoReply(Unavailable):
    """The connection broke or time ran out after the command was sent: it may have been carried out.

    Commands that change something are not repeated; query the resource by its id, which is ours, then decide.
    """


class NotReady(Unavailable):
    """Asterisk is starting: 404 with HTML while modules load, then 503 "not booted" (res_ari.c)."""


class PortTaken(Exception):
    """The port to which Asterisk delivers its events is in use: most likely by another engine."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"{host}:{port} is in use, so Asterisk's events cannot arrive: stop the other engine, or set "
            "another port here and in websocket_client.conf"
        )


_BY_STATUS = {404: Gone, 409: Conflict, 412: BadState, 503: NotReady}


def refusal(status: int, body: Any, operation: str) -> AriError:
    """Return the error for a reply of 400 and above. `body`: its JSON; None if it was something else."""
    if status == 404 and body is None:
        return NotReady(status, f"{operation}: Asterisk is loading its modules")
    kind = _BY_STATUS.get(status) or (Unavailable if status >= 500 else Refused)
    return kind(status, f"{operation}: {_reason(status, body)}")


def _reason(status: int, body: Any) -> str:
    if status == 401:
        return "user or password differs from ari.conf"
    if isinstance(body, dict):
        return str(body.get("message") or body.get("error") or "refused")
    return "refused"
