"""`callengine demo`: real SIP calls with sound through everything there is, told as they happen."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from devkit import demo_routing as numbers
from devkit.beside import listed
from devkit.carrier import carrier
from devkit.handset import CallOver
from devkit.phones import phones
from devkit.scenes import SCENES, Stage
from devkit.stack import Stack, Wish, stack

COLUMNS = ("number", "caller", "outcome", "delivered_to", "ring_seconds", "talk_seconds", "ended_by")


async def demo(*, once: bool, sip: str | None = None) -> bool:
    """Play every scene, show the records; unless `once`, stay for a softphone. False when a scene failed."""
    console = Console(soft_wrap=True)
    began = time.monotonic()
    async with AsyncExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="callengine-demo-")))
        numbers.write_routing(folder / "routing", datetime.now(UTC).date())
        telephones = await held.enter_async_context(phones())
        network = await held.enter_async_context(carrier(telephones, numbers.TELEPHONES))
        console.print("Starting Asterisk, PostgreSQL, mailbox, engine and worker …")
        wish = Wish(folder / "routing", folder / "state", network.address, sip)
        run = await held.enter_async_context(stack(wish, console.print))
        console.print(f"Ready after {time.monotonic() - began:.1f} s.\n")
        stage = Stage(telephones, network, run, console)
        failed = [title for title, scene in SCENES if not await play(stage, title, scene)]
        await show_records(stage, len(SCENES))
        if not await show_messages(stage):
            failed.append("the messages")
        if failed:
            console.print(f"[red]Not as it should be: {', '.join(failed)}.[/red]")
        if not once:
            await stay(stage)
    return not failed


async def play(stage: Stage, title: str, scene: Callable[[Stage], Awaitable[None]]) -> bool:
    """One scene, within 30 s; whatever goes wrong in it is told and does not end the demo."""
    stage.console.print(f"[bold]{title}[/bold]")
    try:
        async with asyncio.timeout(30):
            await scene(stage)
    except (TimeoutError, CallOver, AssertionError) as wrong:
        stage.tell(f"[red]this did not happen: {str(wrong) or 'what was waited for'}[/red]")
        return False
    finally:
        stage.console.print()
    return True


async def show_records(stage: Stage, expected: int) -> None:
    """The table of `callengine calls`, once the worker has brought all records to PostgreSQL."""
    stage.console.print("[bold]The call records[/bold] (callengine calls)")
    records = await told_by(stage.run, "calls", lambda records: len(records) >= expected)
    table = Table(*(column.replace("_", " ").replace("seconds", "s") for column in COLUMNS), box=None)
    for record in records:
        table.add_row(*(str(record.get(column, "") or "") for column in COLUMNS))
    stage.console.print(table)


async def show_messages(stage: Stage) -> bool:
    """The table of `callengine messages`; whether nothing of any message's sound is left here."""
    stage.console.print("\n[bold]The messages[/bold] (callengine messages)")
    messages = await told_by(stage.run, "messages", are_settled)
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


async def told_by(
    run: Stack, command: str, enough: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """What `callengine COMMAND --format json` says, once that is enough, or after 10 s."""
    deadline = time.monotonic() + 10
    told = await listed(run, command)
    while not enough(told) and time.monotonic() < deadline:
        await asyncio.sleep(0.3)
        told = await listed(run, command)
    return told


async def stay(stage: Stage) -> None:
    """Let people call in until Ctrl-C, and tell of every call what became of it."""
    stage.console.print("\nIt stays up: call from a softphone on this machine, without an account.")
    for number, what in (
        (numbers.OPEN, "announces, then rings; answered"),
        (numbers.BUSY_FIRST, "busy, then a colleague answers"),
        (numbers.NOBODY, "rings 5 s, nobody answers"),
        (numbers.CLOSED, "closed today"),
        (numbers.VOICEMAIL, "takes a message, and mails it"),
        (numbers.RECORDED, "announces that it is recorded, to both; answered"),
    ):
        stage.console.print(f"  sip:{number}@{stage.run.sip}   {what}", highlight=False)
    stage.console.print(f"What is mailed is to be seen and heard at {stage.run.mailbox}", highlight=False)
    stage.console.print("Ctrl-C ends everything and leaves nothing behind.")
    await stage.run.keep_running()
