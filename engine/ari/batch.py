"""Several commands to Asterisk in one piece: the engine cannot die, or be stopped, between them.

Asterisk carries out the first two also if the connection has closed meanwhile. A third may be lost then,
because Asterisk reads no further request once it could not write a reply:
docs/decisions/037-a-step-begins-in-one-piece.md.
"""

from collections.abc import Callable
from typing import Any

import structlog

from engine.ari.errors import AriError, Gone
from engine.ari.http import Command, Http, Value, read
from engine.ari.operations import Channels

log = structlog.get_logger()


class Batch:
    """Await the operations of `channels`, which only collects them; `carry_out` sends them all.

    Asterisk carries out each of them, in this order, also if an earlier one has failed.
    """

    def __init__(self, http: Http) -> None:
        collector = _Collector(http.command)
        self.channels = Channels(collector)
        self._http = http
        self._commands = collector.commands

    async def carry_out(self) -> None:
        """Send the commands. Raises the `AriError` of the last one; the failure of another is only logged."""
        replies = await self._http.ask(self._commands)
        read(replies.pop(), self._commands[-1].operation)
        for command, reply in zip(self._commands, replies, strict=False):
            try:
                read(reply, command.operation)
            except Gone:
                pass
            except AriError as error:
                log.warning("ari_command_failed", error=str(error))


class _Collector:
    """The `Wire` of a batch. Apart from it: a batch that is its own wire would be a cycle of references."""

    def __init__(self, command: Callable[..., Command]) -> None:
        self.commands: list[Command] = []
        self._command = command

    async def send(self, verb: str, path: str, /, *, json: Any = None, **params: Value) -> None:
        self.commands.append(self._command(verb, path, json=json, **params))
