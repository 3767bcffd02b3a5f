"""How a process is told from outside what to do."""

import asyncio
import signal


def told_to_stop() -> asyncio.Event:
    """Set when SIGTERM or SIGINT comes."""
    return _told(signal.SIGTERM, signal.SIGINT)


def told_to_reload() -> asyncio.Event:
    """Set when SIGHUP comes; whoever answers it clears it."""
    return _told(signal.SIGHUP)


def _told(*numbers: signal.Signals) -> asyncio.Event:
    told = asyncio.Event()
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told
