"""callengine owners: list and show owners, invite them to the portal, lock them out of it."""

import asyncio
import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import format_option, settings_option, state_option

if TYPE_CHECKING:
    from config.settings import Settings
    from dialplan.number import Owner
    from storage.owned.settings import Notice
    from storage.owner_changes import OwnerChange
    from storage.owner_passkeys import Passkeys, Removed

PASSKEYS = "passkeys"
COLUMNS = (
    "owner",
    "name",
    "language",
    "mail",
    "keep_recordings",
    "anonymise_after",
    "keep_records",
    "logged_in",
    "tokens",
    "locked",
)


@click.group()
def command() -> None:
    """List and show owners, invite them to the portal, lock them out of it, and let them in again."""


@command.command("list")
@format_option("csv", "json")
@state_option()
@settings_option()
def list_(*, form: str, state: Path | None, settings: Path | None) -> None:
    """List the owners in force on this host: settings, logins, tokens, and who is locked."""
    rows = asked(state, settings, summaries)
    if form == "json":
        click.echo(json.dumps(rows, indent=1))
        return
    from storage.export import as_cell

    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([as_cell(row[column]) for column in COLUMNS] for row in rows)


@command.command()
@click.argument("owner")
@format_option("text", "json")
@state_option()
@settings_option()
def show(*, owner: str, form: str, state: Path | None, settings: Path | None) -> None:
    """Show OWNER: settings in force, changes by the owner, what the file has, logins, tokens, passkeys."""
    told = asked(state, settings, lambda values: shown(values, owner))
    if form == "json":
        click.echo(json.dumps(told, indent=1))
        return
    for name, value in told["in_force"].items():
        click.echo(f"{name}: {value}")
    for name, change in told["changed_by_owner"].items():
        said = f"{change['value']} (file: {change['file']}), {change['at']} by {change['by']}"
        click.echo(f"changed by the owner: {name}: {said}")
    for name, value in told["file_differs"].items():
        click.echo(f"not in force yet: {name}: {value}")
    for name in ("logged_in", "tokens", "locked"):
        click.echo(f"{name}: {told[name]}")
    for row in told["passkeys"]:
        used = f"last used {row['last_used']}" if row["last_used"] else "never used"
        click.echo(f"passkeys of {row['address']}: {row['count']}, since {row['since']}, {used}")
    if not told["passkeys"]:
        click.echo("passkeys: 0")


@command.command()
@click.argument("owner")
@click.argument("setting", nargs=-1)
@state_option()
@settings_option()
def reset(*, owner: str, setting: tuple[str, ...], state: Path | None, settings: Path | None) -> None:
    """Drop what OWNER has changed of these settings, or of all: the file counts again within 5 s.

    `passkeys` as a SETTING removes all passkeys of OWNER, ends every login, and drops the links that would
    confirm new mail addresses; without a SETTING that is done too. If there is nothing to drop, nothing is
    done, and the exit status is 0 as well.
    """
    from dialplan.owner_changes import CHANGEABLE

    known = (*CHANGEABLE, PASSKEYS)
    if unknown := set(setting) - set(known):
        raise click.ClickException(f"{min(unknown)} cannot be changed by owners: {', '.join(known)} can")
    _, owners = force(state, settings)
    wanted, notice = set(setting or known), notice_of(owners.get(owner))

    async def dropped(values: "Settings") -> "tuple[list[str], Removed]":
        from cli.database import connected
        from storage import owner_changes, owner_passkeys

        async with connected(values.database.get_secret_value()) as con, con.transaction():
            removed = owner_passkeys.Removed()
            if PASSKEYS in wanted:
                removed = await owner_passkeys.remove_all(con, owner, notice)
            return await owner_changes.reset(con, owner, sorted(wanted - {PASSKEYS})), removed

    names, removed = asked(state, settings, dropped)
    done = [f"{', '.join(names)} as the file has it"] if names else []
    if done := [*done, *([str(removed)] if str(removed) else [])]:
        click.echo(f"{owner}: {'; '.join(done)}")
        return
    existing(owners, owner)
    click.echo(f"{owner} has changed none of them; callengine owners show {owner}")


def notice_of(owner: "Owner | None") -> "Notice":
    """The mail to the owner's addresses about a passkey that was removed, without its name."""
    from portal.routing import addresses_of
    from storage.owned.settings import Notice

    if owner is None:  # removed from the routing folder: there is nobody to notify
        return Notice("passkey_removed", "", (), "en", require_tls=False)
    recipients = tuple(addresses_of(owner))
    return Notice("passkey_removed", "", recipients, owner.language, owner.require_tls)


@command.command()
@click.argument("owner")
@state_option()
@settings_option()
def invite(*, owner: str, state: Path | None, settings: Path | None) -> None:
    """Mail OWNER, at each address of the file, where the portal is and how to log in."""
    from cli.inviting import invite as send

    values, owners = force(state, settings)
    for address, answer in asyncio.run(send(values, existing(owners, owner))):
        click.echo(f"{address}: {answer}")


@command.command()
@click.argument("owner")
@click.option("--reason", required=True, help="The reason, which `owners list` shows.")
@state_option()
@settings_option()
def lock(*, owner: str, reason: str, state: Path | None, settings: Path | None) -> None:
    """Lock OWNER out of portal and API: every login ends, and no token counts."""

    async def locked(values: "Settings") -> None:
        from cli.database import connected
        from storage import owner_locks

        async with connected(values.database.get_secret_value()) as con:
            await owner_locks.lock(con, owner, reason.strip())

    existing(force(state, settings)[1], owner)
    asked(state, settings, locked)
    click.echo(f"{owner} is locked; callengine owners unlock {owner} lets them in again")


@command.command()
@click.argument("owner")
@state_option()
@settings_option()
def unlock(*, owner: str, state: Path | None, settings: Path | None) -> None:
    """Let OWNER in again; logins have to be made anew, tokens count again."""

    async def unlocked(values: "Settings") -> bool:
        from cli.database import connected
        from storage import owner_locks

        async with connected(values.database.get_secret_value()) as con:
            return await owner_locks.unlock(con, owner)

    if not asked(state, settings, unlocked):
        raise click.ClickException(f"{owner} is not locked")
    click.echo(f"{owner} is not locked any more")


def asked(state: Path | None, settings: Path | None, work: Any) -> Any:
    """The result of this work with the settings. Raises ClickException for errors of the database."""
    from cli.database import database_errors
    from cli.options import settings_in

    values = settings_in(settings, state)
    with database_errors():
        return asyncio.run(work(values))


def force(state: Path | None, settings: Path | None) -> "tuple[Settings, Mapping[str, Owner]]":
    from cli.options import settings_in
    from cli.owners import owners_in_force

    values = settings_in(settings, state)
    return values, owners_in_force(values)


def existing(owners: "Mapping[str, Owner]", name: str) -> "Owner":
    """Raises ClickException."""
    if name not in owners:
        raise click.ClickException(f"there is no owner {name}; callengine owners list shows them")
    return owners[name]


async def summaries(settings: "Settings") -> list[dict[str, Any]]:
    """A row for each owner."""
    from cli.database import connected
    from cli.owners import owners_in_force
    from storage import owner_locks

    owners = owners_in_force(settings)
    async with connected(settings.database.get_secret_value()) as con:
        portal = await owner_locks.overview(con)
    rows = []
    for name, owner in sorted(owners.items()):
        values = settings_of(owner)
        row = {column: values[column] for column in COLUMNS if column in values}
        rows.append({"owner": name, **row, **portal.get(name, owner_locks.NOTHING)})
    return rows


async def shown(settings: "Settings", name: str) -> dict[str, Any]:
    from cli.database import connected
    from cli.owners import grounds_in_force, owner_in_folder, owners_in_force
    from storage import owner_changes, owner_locks, owner_passkeys

    in_force = settings_of(existing(owners_in_force(settings), name))
    ground = settings_of(grounds_in_force(settings)[name])
    written = owner_in_folder(settings.routing, name)
    file = settings_of(written) if written else ground
    async with connected(settings.database.get_secret_value()) as con:
        portal = await owner_locks.overview(con)
        changes = await owner_changes.changes_of(con, name)
        passkeys = await owner_passkeys.passkeys_of(con, name)
    return {
        "owner": name,
        "in_force": in_force,
        "changed_by_owner": {one.setting: change_text(one, ground[one.setting]) for one in changes},
        "file_differs": {key: value for key, value in file.items() if value != ground[key]},
        **portal.get(name, owner_locks.NOTHING),
        PASSKEYS: [passkeys_row(one) for one in passkeys],
    }


def passkeys_row(one: "Passkeys") -> dict[str, Any]:
    since, used = one.since.isoformat(timespec="seconds"), one.used and one.used.isoformat(timespec="seconds")
    return {"address": one.address, "count": one.count, "since": since, "last_used": used}


def change_text(change: "OwnerChange", file: str) -> dict[str, str]:
    value = change.value
    text = ", ".join(value) if isinstance(value, list) else str(value or "")
    return {"value": text, "file": file, "at": change.at.isoformat(timespec="seconds"), "by": change.by}


def settings_of(owner: "Owner") -> dict[str, str]:
    """Every setting as text."""
    return {name: text_of(getattr(owner, name)) for name in type(owner).model_fields}


def text_of(value: Any) -> str:
    from datetime import timedelta

    match value:
        case None | ():
            return ""
        case bool():
            return "true" if value else "false"
        case timedelta():
            hours = int(value.total_seconds() // 3600)
            return f"{hours // 24} days" if hours % 24 == 0 else f"{hours} hours"
        case tuple():
            return ", ".join(map(str, value))
    return str(value)
