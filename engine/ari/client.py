"""Commands to Asterisk: `client.channels.answer(channel_id)`, like ari-py, on asyncio."""

import asyncio
from types import TracebackType
from typing import Self

from engine.ari.batch import Batch
from engine.ari.errors import NotReady, Unavailable
from engine.ari.http import Http
from engine.ari.operations import Applications, Asterisk, Channels, Endpoints, Events, Playbacks, Recordings
from engine.ari.state import AsteriskInfo

READY_POLL_SECONDS = 0.1


class Client:
    """Asterisk's REST interface; use it inside `async with`. Every operation raises `AriError`."""

    def __init__(self, url: str, user: str, password: str) -> None:
        """`url`: the part before the path of every operation: `http://127.0.0.1:8088/ari`."""
        self._http = Http(url, user, password)
        self.applications = Applications(self._http)
        self.asterisk = Asterisk(self._http)
        self.channels = Channels(self._http)
        self.endpoints = Endpoints(self._http)
        self.events = Events(self._http)
        self.playbacks = Playbacks(self._http)
        self.recordings = Recordings(self._http)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    def batch(self) -> Batch:
        """Collect commands on channels, to be sent in one piece."""
        return Batch(self._http)

    async def metrics(self) -> str:
        """Return Asterisk's own metrics (res_prometheus): it reads all its channels for them."""
        return await self._http.text("/metrics")

    async def wait_until_ready(self, seconds: float) -> AsteriskInfo:
        """Wait until Asterisk has started.

        Raises NotReady after `seconds`, Refused at once for a wrong password.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                return await self.asterisk.get_info()
            except Unavailable as error:
                if asyncio.get_running_loop().time() >= deadline:
                    raise NotReady(error.status, f"not ready after {seconds:g} s: {error}") from None
            await asyncio.sleep(READY_POLL_SECONDS)
