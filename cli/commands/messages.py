"""callengine messages: what became of voicemail and missed calls, and what a person may do about one."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.commands.calls import Instant

if TYPE_CHECKING:
    import asyncpg

    from mailer.overview import Overview

STATES = ["recorded", "waiting", "accepted", "bounced", "undeliverable", "destroyed", "absent"]
Act = Callable[["asyncpg.Connection", str], Awaitable[None]]


@click.group(invoke_without_command=True)
@click.option("--owner", metavar="O", help="Only messages for this owner.")
@click.option("--state", type=click.Choice(STATES), help="Only messages in this state.")
@click.option("--since", type=Instant(), help="Only those of calls that began then or later.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--database", metavar="URL", help="The database. Default: that of the settings.")
@click.option(
    "--run",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The database of the `callengine dev` with this state folder.",
)
@click.option("--settings", "file", type=click.Path(path_type=Path), help="The settings file.")
@click.pass_context
def command(
    context: click.Context,
    *,
    owner: str | None,
    state: str | None,
    since: datetime | None,
    form: str,
    database: str | None,
    folder: Path | None,
    file: Path | None,
) -> None:
    """List messages, or see to one of them.

    \b
    recorded       left by a caller, not yet encrypted and stored
    waiting        on its way: not every recipient has it
    accepted       taken by a mail server; destroyed at once, or when no bounce can come any more
    bounced        came back after that; on its way to the second address
    undeliverable  nobody took it: kept until its deadline, unless released
    destroyed      gone, with a tombstone to prove it
    absent         there was nothing to be heard in it
    """
    from cli.database import url_of

    context.obj = url_of(database, file, folder)
    if context.invoked_subcommand is None:
        _run(listed(context.obj, form, owner=owner, state=state, since=since))


@command.command()
@click.argument("message_id", metavar="ID")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def show(url: str, *, message_id: str, form: str) -> None:
    """Tell everything about a message: its recipients, and each attempt with the server's answer and TLS."""
    _run(shown(url, form, message_id))


@command.command("retry")
@click.argument("message_ids", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def retry_command(url: str, *, message_ids: tuple[str, ...]) -> None:
    """Send messages now: those that wait, and those that were undeliverable from the beginning."""
    from mailer.overview import retry

    _run(done(url, retry, message_ids, "is due now"))


@command.command("release")
@click.argument("message_ids", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def release_command(url: str, *, message_ids: tuple[str, ...]) -> None:
    """Give up undeliverable messages: they are destroyed, and nobody will have heard them."""
    from mailer.overview import release

    _run(done(url, release, message_ids, "is destroyed"))


def _run(work: Awaitable[None]) -> None:
    from cli.database import told_plainly

    async def doing() -> None:
        await work

    with told_plainly():
        asyncio.run(doing())


async def listed(url: str, form: str, **asked: Any) -> None:
    """Print them as they come: a million of them take no more memory than five hundred."""
    from cli.database import connected
    from mailer.overview import find

    async with connected(url) as con, aclosing(find(con, **asked)) as found:
        await (as_json(found) if form == "json" else as_text(found))


async def as_json(found: "AsyncIterator[Overview]") -> None:
    """An array of objects."""
    from mailer.overview import as_object

    before = "["
    async for overview in found:
        click.echo(f"{before}\n{json.dumps(as_object(overview))}", nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


async def as_text(found: "AsyncIterator[Overview]") -> None:
    async for overview in found:
        click.echo(line(overview))


async def shown(url: str, form: str, message_id: str) -> None:
    """Print one. Raises ClickException when there is none."""
    from cli.database import connected
    from mailer.overview import as_object, find

    async with connected(url) as con:
        found = [overview async for overview in find(con, message_id=message_id)]
    if not found:
        raise click.ClickException(f"there is no message {message_id}; callengine messages lists them")
    click.echo(json.dumps(as_object(found[0]), indent=2) if form == "json" else story(found[0]))


async def done(url: str, act: Act, message_ids: tuple[str, ...], words: str) -> None:
    """Do this with each of them. Raises ClickException at the first with which it cannot be done."""
    from cli.database import connected
    from mailer.overview import NotNow

    async with connected(url) as con:
        for message_id in message_ids:
            try:
                await act(con, message_id)
            except NotNow as no:
                raise click.ClickException(f"{message_id}: {no}") from None
            except LookupError:
                raise click.ClickException(f"there is no message {message_id}") from None
            click.echo(f"{message_id} {words}")


def line(overview: "Overview") -> str:
    """A message on one line."""
    state = f"{overview.state} ({overview.why})" if overview.why else overview.state
    length = "missed" if overview.seconds is None else f"{overview.seconds:.0f} s"
    to = ", ".join(f"{one.recipient} {one.state}" for one in overview.recipients)
    began = f"{overview.began.astimezone():%Y-%m-%d %H:%M:%S}"
    return f"{overview.message_id}  {began}  {overview.owner}  {overview.number}  {length}  {state}  {to}"


def story(overview: "Overview") -> str:
    """Everything about a message."""
    lines = [line(overview)]
    if overview.sound:
        lines.append(f"  sound: {overview.sound}{' (held)' if overview.held else ''}")
    if overview.kept_until:
        lines.append(f"  kept until {overview.kept_until.astimezone():%Y-%m-%d %H:%M:%S}")
    if overview.destroyed:
        lines.append(f"  destroyed {overview.destroyed.astimezone():%Y-%m-%d %H:%M:%S}")
    for one in overview.recipients:
        next_at = f", next attempt {one.next_at.astimezone():%Y-%m-%d %H:%M:%S}" if one.next_at else ""
        lines.append(f"  {one.recipient}: {one.state}{next_at}")
        lines += [
            f"    {attempt.at.astimezone():%Y-%m-%d %H:%M:%S}  {attempt.result}  {attempt.server or '-'}"
            f"  TLS {attempt.tls}  {attempt.reply}"
            for attempt in one.attempts
        ]
    return "\n".join(lines)
