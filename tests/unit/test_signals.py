"""Signals of a process, and commands in the foreground that end by them."""

import asyncio
import os
import signal

import pytest

from cli.foreground import run_until_stopped
from process.signals import RELOAD, STOP, reload_requested, stop_requested


@pytest.mark.parametrize("number", STOP)
async def test_a_stop_signal_sets_the_stop_event_and_no_other(number: signal.Signals) -> None:
    stop, reload = stop_requested(), reload_requested()
    os.kill(os.getpid(), number)
    await stop.wait()
    assert not reload.is_set()


async def test_a_reload_signal_can_come_again_once_it_was_handled() -> None:
    reload = reload_requested()
    for _ in range(2):
        os.kill(os.getpid(), RELOAD[0])
        await reload.wait()
        reload.clear()


async def test_work_in_the_foreground_is_cancelled_by_a_stop_signal_and_may_clean_up() -> None:
    ends = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.get_running_loop().create_future()
        finally:
            ends.append("cleaned up")

    await run_until_stopped(work())
    assert ends == ["cleaned up"]


async def test_an_error_of_the_work_is_raised() -> None:
    async def work() -> None:
        raise OSError("the port is taken")

    with pytest.raises(OSError, match="the port is taken"):
        await run_until_stopped(work())
