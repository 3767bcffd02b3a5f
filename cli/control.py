"""Questions to the running engine, by its control socket (engine/control.py)."""

import http.client
import json
from pathlib import Path
from typing import Any

import click

from config.settings import Settings
from engine.control import SOCKET
from process.local_socket import connected
from storage.access import this_process

SECONDS = 5.0


class Connection(http.client.HTTPConnection):
    """HTTP on the engine's socket."""

    def __init__(self, file: Path) -> None:
        super().__init__("engine", timeout=SECONDS)
        self._file = file

    def connect(self) -> None:
        self.sock = connected(self._file, SECONDS)


def ask(settings: Settings, method: str, path: str) -> dict[str, Any]:
    """The engine's answer. Raises ClickException with the remedy."""
    file = settings.state / SOCKET
    connection = Connection(file)
    try:
        connection.request(method, path, this_process().operator if method != "GET" else None)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except PermissionError:
        raise click.ClickException(f"{file}: run this as root, or as the engine's user") from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise click.ClickException(
            f"{file}: no engine answers there: is it running on this host, with this state folder?"
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise click.ClickException(f"{file}: the engine does not answer: {error!r}") from None
    finally:
        connection.close()
    if response.status >= 400:
        raise click.ClickException(str(answer.get("error", answer)))
    return answer
