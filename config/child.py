"""A module of ours run as a process of its own: what is slow, or may crash, does not delay a call."""

import asyncio
import pickle
import sys
from asyncio.subprocess import Process
from contextlib import suppress
from typing import Any, BinaryIO, Self, cast

from config.memory_file import in_memory
from config.reply import reply

__all__ = ["Child", "ChildError", "answer_of", "feed", "reply"]


class ChildError(Exception):
    """The process did not answer. Its text says why, and continues the words "the process"."""


class Child:
    """A process that has started, perhaps long before it gets its standard input, and answers once."""

    def __init__(self, process: Process, answer: BinaryIO) -> None:
        self._process = process
        self._answer = answer

    @classmethod
    async def started(cls, module: str, *arguments: str) -> Self:
        """Run `python -m module`. It answers into memory: 20 MB through a pipe hold up the event loop."""
        answer = in_memory()
        command = (sys.executable, "-P", "-m", module, *arguments)
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=answer
            )
        except BaseException:
            answer.close()
            raise
        return cls(process, answer)

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def answer(self, stdin: bytes, seconds: float) -> Any:
        """Return what the process pickles to its standard output.

        It is killed if it takes longer than `seconds`. Raises ChildError.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._feed(stdin)
                await self._process.wait()
            if self._process.returncode:
                raise ChildError(f"ended with {self._process.returncode}; see its log above")
            self._answer.seek(0)
            return await asyncio.to_thread(pickle.load, self._answer)  # our own child's
        except (EOFError, pickle.UnpicklingError):
            raise ChildError("ended without an answer that can be read") from None
        except TimeoutError:
            raise ChildError(f"took more than {seconds:g} s and was given up; try again") from None
        finally:
            await self.stop()

    async def _feed(self, stdin: bytes) -> None:
        """Write its standard input. What it does not read is dropped: its answer or exit status counts."""
        pipe = cast("asyncio.StreamWriter", self._process.stdin)
        with suppress(BrokenPipeError, ConnectionResetError):
            await feed(pipe, stdin)
        pipe.close()

    async def stop(self) -> None:
        self._answer.close()
        if self.is_running:
            self._process.kill()
            await self._process.wait()


async def feed(pipe: asyncio.StreamWriter, content: bytes) -> None:
    """Write to the standard input of a process.

    Raises BrokenPipeError or ConnectionResetError if the process has ended or does not read.
    """
    try:
        pipe.write(content)
        await pipe.drain()
    except RuntimeError as error:  # uvloop: "the handler is closed", even if there is nothing to write
        raise BrokenPipeError(str(error)) from None


async def answer_of(
    module: str, *arguments: str, stdin: bytes = b"", seconds: float, child: Child | None = None
) -> Any:
    """Run `python -m module` with this standard input; return what it pickles to its standard output.

    It is killed if it takes longer than `seconds`. `child`: one that was started before. Raises ChildError.
    """
    if child is None or not child.is_running:
        child = await Child.started(module, *arguments)
    return await child.answer(stdin, seconds)
