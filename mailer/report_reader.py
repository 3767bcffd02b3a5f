"""Parse reports in a child process, which is killed when one takes too long.

`config.child` starts a process for each request. Here that would cost 80 ms of CPU for each report; in a
process that stays it is 0.5 ms (measured), and there are as many reports of arrival as mails.
"""

import asyncio
import json
import signal
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from base64 import b64encode
from contextlib import suppress
from types import TracebackType
from typing import Self, cast

from config.child import feed
from mailer.bounce import Report, ReportStatus

CPU_SECONDS = 1.0  # an honest report takes 0.3 ms
WAIT_SECONDS = 10.0  # for the turn, the start of the process and the answer
CHILD = "mailer.report_child"


class Hostile(Exception):
    """This report exceeded the CPU limit."""


class NotRead(Exception):
    """The report could not be parsed now, for a reason of ours: the server has to send it again."""


class ReportReader:
    """Parses one report at a time, inside `async with`. The first report starts the process."""

    def __init__(
        self, cpu_seconds: float = CPU_SECONDS, wait_seconds: float = WAIT_SECONDS, child: str = CHILD
    ) -> None:
        self._wait = wait_seconds
        self._command = (sys.executable, "-P", "-m", child, str(cpu_seconds))
        self._turn = asyncio.Lock()
        self._process: Process | None = None

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def read(self, content: bytes, sender: str) -> Report:
        """Raises Hostile, NotRead."""
        request = json.dumps([sender, b64encode(content).decode()]).encode() + b"\n"
        try:
            async with asyncio.timeout(self._wait), self._turn:
                status, why = json.loads(await self._answer(request))
        except TimeoutError:
            raise NotRead(f"no answer in {self._wait:g} s") from None
        except OSError as error:
            raise NotRead(f"{type(error).__name__}: {error}") from None
        return Report(ReportStatus(status), why)

    async def _answer(self, request: bytes) -> bytes:
        """Any interruption ends the process: its late answer would be taken for the next report's."""
        answer = b""
        try:
            requests, answers = await self._streams()
            await feed(requests, request)
            answer = await answers.readline()
        finally:
            code = None if answer.endswith(b"\n") else await self._end()
        if code == -signal.SIGPROF:
            raise Hostile
        if code is not None:
            raise NotRead(f"the process that parses reports ended with {code}")
        return answer

    async def _streams(self) -> tuple[StreamWriter, StreamReader]:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        process = self._process
        return cast("StreamWriter", process.stdin), cast("StreamReader", process.stdout)

    async def _end(self) -> int | None:
        """Kill the process; return its exit status, None if there is no process."""
        process, self._process = self._process, None
        if process is None:
            return None
        with suppress(ProcessLookupError):  # a process that has ended keeps its exit status
            process.kill()
        return await process.wait()
