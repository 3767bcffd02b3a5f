"""The signals that a process handles: SIGTERM and SIGINT stop it, SIGHUP makes it reload."""

import asyncio
import signal

STOP = (signal.SIGTERM, signal.SIGINT)
RELOAD = (signal.SIGHUP,)


def stop_requested() -> asyncio.Event:
    """An event that is set when SIGTERM or SIGINT arrives."""
    return _event_of(STOP)


def reload_requested() -> asyncio.Event:
    """An event that is set when SIGHUP arrives; the code that handles it clears it."""
    return _event_of(RELOAD)


def _event_of(signals: tuple[signal.Signals, ...]) -> asyncio.Event:
    event = asyncio.Event()
    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event
