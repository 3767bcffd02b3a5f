"""`callengine demo`: real SIP calls with sound through the whole product, shown as they happen."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
from rich.console import Console
from rich.table import Table

from devkit import demo_routing as numbers
from devkit.beside import listed
from devkit.carrier import carrier
from devkit.handset import CallOver
from devkit.phones import phones
from devkit.scenes import SCENES, Stage
from devkit.stack import Stack, Wish, stack
from portal.secrets import new_token
from storage.owned.logins import add_link

COLUMNS = ("number", "caller", "outcome", "delivered_to", "ring_seconds", "talk_seconds", "ended_by")


async def demo(*, once: bool, sip: str | None = None) -> bool:
    """Play every scene, show the records; unless `once`, wait for a softphone. False if a scene failed."""
    console = Console(soft_wrap=True)
    began = time.monotonic()
    async with AsyncExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="callengine-demo-")))
        numbers.write_routing(folder / "routing", datetime.now(UTC).date())
        telephones = await held.enter_async_context(phones())
        network = await held.enter_async_context(carrier(telephones, numbers.TELEPHONES))
        console.print("Starting Asterisk, PostgreSQL, mailbox, engine and worker …")
        wish = Wish(folder / "routing", folder / "state", network.address, sip, portal=True)
        run = await held.enter_async_context(stack(wish, console.print))
        console.print(f"Ready after {time.monotonic() - began:.1f} s.\n")
        stage = Stage(telephones, network, run, console)
        failed = [title for title, scene in SCENES if not await play(stage, title, scene)]
        await show_records(stage, len(SCENES))
        if not await show_messages(stage):
            failed.append("the messages")
        if failed:
            console.print(f"[red]Failed: {', '.join(failed)}.[/red]")
        if not once:
            await stay(stage)
    return not failed


async def play(stage: Stage, title: str, scene: Callable[[Stage], Awaitable[None]]) -> bool:
    """Play one scene, within 30 s; a failure is shown and does not end the demo."""
    stage.console.print(f"[bold]{title}[/bold]")
    try:
        async with asyncio.timeout(30):
            await scene(stage)
    except (TimeoutError, CallOver, AssertionError) as error:
        stage.show(f"[red]failed: {str(error) or 'timeout'}[/red]")
        return False
    finally:
        stage.console.print()
    return True


async def show_records(stage: Stage, expected: int) -> None:
    """The table of `callengine calls`, once all records are in PostgreSQL."""
    stage.console.print("[bold]The call records[/bold] (callengine calls)")
    records = await listed_until(stage.run, "calls", lambda records: len(records) >= expected)
    table = Table(*(column.replace("_", " ").replace("seconds", "s") for column in COLUMNS), box=None)
    for record in records:
        table.add_row(*(str(record.get(column, "") or "") for column in COLUMNS))
    stage.console.print(table)


async def show_messages(stage: Stage) -> bool:
    """The table of `callengine messages`; return whether no audio of a message is left."""
    stage.console.print("\n[bold]The messages[/bold] (callengine messages)")
    messages = await listed_until(stage.run, "messages", are_settled)
    table = Table("number", "message", "accepted for", "over TLS", box=None)
    for message in messages:
        (to,) = message["recipients"]
        accepted = to["recipient"] if to["state"] == "accepted" else to["state"]
        tls = to["attempts"][-1]["tls"] if to["attempts"] else ""
        what = f"{message['seconds']:.1f} s, {message['sound']}" if message["sound"] else "missed call"
        table.add_row(message["number"], what, accepted, tls)
    stage.console.print(table)
    return are_settled(messages)


def are_settled(messages: list[dict[str, Any]]) -> bool:
    return bool(messages) and all(
        message["state"] in ("accepted", "destroyed") and message["sound"] in ("", "destroyed")
        for message in messages
    )


async def listed_until(
    run: Stack, command: str, enough: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """The list of `callengine COMMAND --format json`, once it is enough, or after 10 s."""
    deadline = time.monotonic() + 10
    objects = await listed(run, command)
    while not enough(objects) and time.monotonic() < deadline:
        await asyncio.sleep(0.3)
        objects = await listed(run, command)
    return objects


async def login_link(run: Stack) -> str:
    """A link that logs in to the portal as the demo's owner, for 15 minutes, in any browser."""
    link = new_token()
    con = await asyncpg.connect(run.database, timeout=10)
    try:
        await add_link(con, link, numbers.OWNER_NAME, numbers.OWNER_MAIL)
    finally:
        await con.close(timeout=5)
    return f"{run.portal}/login/{link}"


async def stay(stage: Stage) -> None:
    """Wait for calls of a softphone until Ctrl-C."""
    stage.console.print("\nThe demo stays up: call from a softphone on this machine, without an account.")
    for number, what in (
        (numbers.OPEN, "announces, then rings; answered"),
        (numbers.BUSY_FIRST, "busy, then a colleague answers"),
        (numbers.NOBODY, "rings 5 s, nobody answers"),
        (numbers.CLOSED, "closed today"),
        (numbers.VOICEMAIL, "records a message, and mails it"),
        (numbers.MENU, "a menu: 1 the office, 2 a colleague"),
        (numbers.RECORDED, "announces the recording to both; answered"),
    ):
        stage.console.print(f"  sip:{number}@{stage.run.sip}   {what}", highlight=False)
    stage.console.print(f"Mails can be read and played at {stage.run.mailbox}", highlight=False)
    stage.console.print(
        "The owner's calls, messages and recordings, by a link that is valid once:", highlight=False
    )
    stage.console.print(f"  {await login_link(stage.run)}", highlight=False)
    stage.console.print("Ctrl-C ends the demo and removes everything.")
    await stage.run.keep_running()
