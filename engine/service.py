"""The engine as a process: opened, watched until it is stopped, and closed."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import structlog

from config.settings import Settings
from engine.ari.link import EventLink
from engine.ari.switchboard import Switchboard
from engine.control import Controlled, keep_controlling
from engine.parts import Parts, open_parts
from engine.surroundings import Surroundings
from process.health import keep_serving
from process.loop import limit_pauses
from process.metrics import watch_loop
from process.signals import reload_requested, stop_requested

log = structlog.get_logger()


async def serve(settings: Settings) -> None:
    """Take calls until SIGTERM or SIGINT; then leave live calls to Asterisk and to the next engine.

    Raises ConfigErrors, JournalInUse, PortTaken, each with the remedy, if the engine cannot start.
    """
    stop = stop_requested()
    async with AsyncExitStack() as opened:
        parts = await open_parts(settings, opened)
        switchboard, surroundings = parts.switchboard, parts.surroundings
        limit_pauses()
        # In reverse at the end: the event link is closed first, then the calls are detached.
        opened.push_async_callback(switchboard.detach)
        await opened.enter_async_context(event_link(settings, switchboard))
        await until(
            stop,
            parts.journal.died(),
            keep_serving(parts.health),
            watch_loop(parts.metrics),
            parts.disk.run(),
            surroundings.trunk_states.run(),
            surroundings.registrations.run(),
            surroundings.trunks.watch(surroundings.trunks_changed),
            parts.memory.switches.watch(),
            parts.memory.owners.watch(),
            switchboard.watch(),
            surroundings.routing_store.watch(surroundings.renew, parts.live_versions),
            reload_on_sighup(surroundings),
            switchboard.cel.run(),
            keep_controlling(settings.state, controlled(parts)),
        )
        log.info("engine_stopped", calls=switchboard.live)


def controlled(parts: Parts) -> Controlled:
    """What the control socket shows and changes."""
    calls = parts.switchboard.calls
    return Controlled(lambda: calls.states, calls.hang_up, parts.door.drain, parts.overview)


async def reload_on_sighup(surroundings: Surroundings) -> None:
    """Read the routing folder again at SIGHUP: for a network file system, which cannot be watched."""
    reload = reload_requested()
    while True:
        await reload.wait()
        reload.clear()
        if await surroundings.routing_store.reload():
            await surroundings.renew()


def event_link(settings: Settings, switchboard: Switchboard) -> EventLink:
    ari = settings.ari
    return EventLink(
        ari.events_host,
        ari.events_port,
        ari.events_user,
        ari.events_password.get_secret_value(),
        on_connect=switchboard.on_connect,
        on_event=switchboard.on_event,
        on_disconnect=switchboard.on_disconnect,
        closing=switchboard.closing,
    )


async def until(stop: asyncio.Event, *watches: Coroutine[Any, Any, None]) -> None:
    """Run the watches until `stop`. An error of one watch ends them all, and is raised."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch) for watch in watches]
        await stop.wait()
        for task in tasks:
            task.cancel()
