"""callengine messages: voicemail and missed calls, their mails, and what an operator can do about one."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import (
    FOLDER,
    database_option,
    format_option,
    number_option,
    owner_option,
    settings_option,
    since_option,
    state_option,
    until_option,
)

if TYPE_CHECKING:
    import asyncpg

    from mailer.overview import Overview

STATES = ["recorded", "waiting", "accepted", "bounced", "undeliverable", "destroyed", "absent"]
Act = Callable[["asyncpg.Connection", str], Awaitable[None]]


@click.group(invoke_without_command=True)
@owner_option()
@number_option()
@click.option("--in-state", "message_state", type=click.Choice(STATES), help="Only messages in this state.")
@since_option()
@until_option()
@format_option("text", "json")
@database_option()
@state_option()
@click.option("--run", "old_state", type=FOLDER, hidden=True)  # the name of --state in version 0.1
@settings_option()
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    form: str,
    database: str | None,
    state: Path | None,
    old_state: Path | None,
    settings: Path | None,
    **filters: Any,
) -> None:
    """List messages, oldest call first, or act on one of them.

    \b
    recorded       left by a caller, not yet encrypted and stored
    waiting        being sent: at least one recipient has not accepted it yet
    accepted       accepted by a mail server; destroyed at once, or after the bounce window
    bounced        returned after that; being sent to the second address
    undeliverable  accepted by nobody: stored until its deadline, unless released
    destroyed      destroyed, with a tombstone as proof
    absent         the recording was empty
    """
    from cli.database import url_of
    from cli.dialled import recorded_number

    state = state or old_state
    if state and str(state) in STATES and not state.exists():  # the meaning of --state in version 0.1
        click.echo(f"--state is the folder of a `callengine dev`; write --in-state {state}", err=True)
        filters["message_state"], state = str(state), None
    context.obj = url_of(database, settings, state)
    if number := filters["number"]:
        filters["number"] = recorded_number(number, settings, state)
    if context.invoked_subcommand is None:
        _run(print_list(context.obj, form, filters))


@command.command()
@click.argument("message_id", metavar="ID")
@format_option("text", "json")
@click.pass_obj
def show(url: str, *, message_id: str, form: str) -> None:
    """Show one message with its recipients, and each attempt with the server's reply and TLS level."""
    _run(print_one(url, form, message_id))


@command.command("retry")
@click.argument("message_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--to", metavar="ADDRESS", help="Send them to this mail address, too.")
@click.pass_obj
def retry_command(url: str, *, message_ids: tuple[str, ...], to: str | None) -> None:
    """Send messages now: waiting ones at once, undeliverable ones from the beginning."""
    from dialplan.number import check_mail
    from mailer.overview import retry

    try:
        address = check_mail(to) if to is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from None
    _run(act_on(url, partial(retry, to=address), message_ids, "is due now"))


@command.command("release")
@click.argument("message_ids", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def release_command(url: str, *, message_ids: tuple[str, ...]) -> None:
    """Give up undeliverable messages: they are destroyed unheard."""
    from mailer.overview import release

    _run(act_on(url, release, message_ids, "is destroyed"))


def _run(work: Awaitable[None]) -> None:
    from cli.database import database_errors

    async def awaited() -> None:
        await work

    with database_errors():
        asyncio.run(awaited())


async def print_list(url: str, form: str, filters: dict[str, Any]) -> None:
    """Print messages as they arrive: a million take no more memory than five hundred."""
    from cli.database import connected
    from mailer.overview import find

    async with connected(url) as con, aclosing(find(con, **filters)) as messages:
        await (print_json(messages) if form == "json" else print_text(messages))


async def print_json(messages: "AsyncIterator[Overview]") -> None:
    """An array of objects."""
    from mailer.overview import as_object

    separator = "["
    async for message in messages:
        click.echo(f"{separator}\n{json.dumps(as_object(message))}", nl=False)
        separator = ","
    click.echo("[]" if separator == "[" else "\n]")


async def print_text(messages: "AsyncIterator[Overview]") -> None:
    async for message in messages:
        click.echo(line(message))


async def print_one(url: str, form: str, message_id: str) -> None:
    """Print one message. Raises ClickException if it does not exist."""
    from cli.database import connected
    from mailer.overview import as_object, find

    async with connected(url) as con:
        messages = [message async for message in find(con, message_id=message_id)]
    if not messages:
        raise click.ClickException(f"there is no message {message_id}; callengine messages lists them")
    click.echo(json.dumps(as_object(messages[0]), indent=2) if form == "json" else story(messages[0]))


async def act_on(url: str, act: Act, message_ids: tuple[str, ...], done: str) -> None:
    """Act on each message. Raises ClickException at the first whose state does not allow it."""
    from cli.database import connected
    from mailer.overview import NotNow

    async with connected(url) as con:
        for message_id in message_ids:
            try:
                await act(con, message_id)
            except NotNow as error:
                raise click.ClickException(f"{message_id}: {error}") from None
            except LookupError:
                raise click.ClickException(
                    f"there is no message {message_id}; callengine messages lists them"
                ) from None
            click.echo(f"{message_id} {done}")


def line(message: "Overview") -> str:
    """A message on one line."""
    state = f"{message.state} ({message.why})" if message.why else message.state
    without = "left out" if message.kind == "left_out" else "missed"
    length = without if message.seconds is None else f"{message.seconds:.0f} s"
    to = ", ".join(f"{recipient.recipient} {recipient.state}" for recipient in message.recipients)
    began = local(message.began)
    return f"{message.message_id}  {began}  {message.owner}  {message.number}  {length}  {state}  {to}"


def story(message: "Overview") -> str:
    """Everything about a message."""
    lines = [line(message)]
    if message.sound:
        lines.append(f"  sound: {message.sound}{' (held)' if message.held else ''}")
    if message.kept_until:
        lines.append(f"  kept until {local(message.kept_until)}")
    if message.destroyed:
        lines.append(f"  destroyed {local(message.destroyed)}")
    for recipient in message.recipients:
        next_at = f", next attempt {local(recipient.next_at)}" if recipient.next_at else ""
        lines.append(f"  {recipient.recipient}: {recipient.state}{next_at}")
        lines += [
            f"    {local(attempt.at)}  {attempt.result}  {attempt.server or '-'}"
            f"  TLS {attempt.tls}  {attempt.reply}"
            for attempt in recipient.attempts
        ]
    return "\n".join(lines)


def local(instant: datetime) -> str:
    """The instant in this machine's time zone."""
    return f"{instant.astimezone():%Y-%m-%d %H:%M:%S}"
