"""callengine explain: the path that a call would take, or took, with the reason of each turn."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from cli.call_options import call_options, language_option
from cli.explanation import Explanation
from cli.options import format_option, settings_file, settings_option, state_option
from dialplan.caller import Caller
from dialplan.result import Outcome
from dialplan.step import Case

if TYPE_CHECKING:
    from cli.past_call import PastExplanation
    from config.settings import Settings
    from dialplan.routing import Routing
    from storage.records import CallRecord


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.argument("number", required=False)
@click.option("--call", "call_id", metavar="ID", type=click.UUID, help="Explain this past call instead.")
@call_options
@click.option(
    "--nth",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="The call is the N-th, where the route counts calls. Default: the first.",
)
@click.option(
    "--live",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="N calls are within each limit already. Default: none.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME",
    help="This switch is on; several times for several. Default: none.",
)
@click.option(
    "--unreachable",
    multiple=True,
    metavar="NUMBER",
    help="This destination could not be reached lately; several times for several. Default: none.",
)
@language_option()
@click.option(
    "--tree", "as_tree", is_flag=True, help="Print the whole route, with a mark at the steps taken."
)
@format_option("text", "json")
@state_option()
@settings_option()
def command(
    *,
    folder: Path | None,
    number: str | None,
    call_id: UUID | None,
    at: datetime,
    caller: Caller,
    outcomes: Sequence[str],
    nth: int,
    live: int,
    presses: Sequence[str],
    switches: Sequence[str],
    unreachable: Sequence[str],
    language: str | None,
    as_tree: bool,
    form: str,
    state: Path | None,
    settings: Path | None,
) -> None:
    """Print the path of a call to NUMBER by the routing FOLDER: each turn with its reason, each step.

    The walk is that of a live call; only outcomes are supposed. NUMBER may be in national form (070012345).

    With --call ID, print the path that a past call took, by the routing version that it began under, in its
    owner's language. The outcomes of its steps are derived from its attempts, message and result.
    """
    file = settings_file(settings, state)
    if call_id is not None and folder is not None:
        raise click.UsageError("write --call ID, or FOLDER and NUMBER")
    if call_id is not None:
        explanation: Explanation | PastExplanation = explain_past(call_id, file, language)
    elif folder is None or number is None:
        raise click.UsageError("write FOLDER and NUMBER, or --call ID")
    else:
        from cli.supposed_call import Supposed, explain_supposed

        case = Case([*map(Outcome, outcomes)], nth, live, list(presses))
        call = Supposed(at, caller, case, switches, unreachable)
        explanation = explain_supposed(folder, number, call, file)
    click.echo(shown(explanation, form, folder if as_tree else None))


def shown(explanation: "Explanation | PastExplanation", form: str, whole: Path | None) -> str:
    """`whole`: the folder of a route that is printed as a whole, with a mark at the steps taken."""
    if form == "json":
        return json.dumps(explanation.data(), ensure_ascii=False, indent=2)
    if whole is None or not isinstance(explanation, Explanation):
        return explanation.text()
    from cli.route_tree import lines, tree_of

    route = tree_of(whole, explanation.number.number)
    return "\n".join(explanation.tree(lines(route, explanation.taken)))


def explain_past(call_id: UUID, file: Path | None, language: str | None) -> "PastExplanation":
    """Explain a past call. Raises ClickException: there is no record, or no routing version."""
    from cli.options import settings_in
    from cli.past_call import explained

    settings = settings_in(file)
    record = record_of(call_id, settings)
    routing = routing_of(record, settings)
    if (number := routing.number(record.number)) is None:
        raise click.ClickException(
            f"{record.number} was not a number of this routing version: the call was answered 404"
        )
    return explained(record, number, routing, language)


def record_of(call_id: UUID, settings: "Settings") -> "CallRecord":
    """The record of a call, from the database of the settings. Raises ClickException."""
    from cli.database import database_errors

    with database_errors():
        record = asyncio.run(_fetch(call_id, settings.database.get_secret_value()))
    if record is None:
        raise click.ClickException(
            f"there is no record of call {call_id}: `callengine calls` lists calls that have ended; "
            "a record appears some seconds after the end of its call"
        )
    return record


async def _fetch(call_id: UUID, url: str) -> "CallRecord | None":
    from cli.database import connected
    from storage.calls import get

    async with connected(url) as con:
        return await get(con, call_id)


def routing_of(record: "CallRecord", settings: "Settings") -> "Routing":
    """The routing version that a call began under. Raises ClickException with what can be done."""
    from config.versions import VersionError, Versions, Why

    if not record.routing:
        raise click.ClickException(
            "the record of this call names no routing version: the number was not ours, it was a fallback "
            "call, or it began before callengine stored versions"
        )
    versions = Versions(settings.routing_versions)
    try:
        return versions.read(record.routing)
    except VersionError as error:
        remedy = {
            Why.GONE: f"is not kept in {versions.root} any more, or is on another node ({record.node}); "
            f"versions are kept for history_days ({settings.history_days}) after they were in force",
            Why.DAMAGED: f"is damaged: its files in {versions.root} are not those that were accepted; "
            "restore them from a backup, or put the same routing folder into force once more",
            Why.UNREADABLE: f"cannot be read by this version of callengine: {error.detail}",
        }
        raise click.ClickException(f"routing version {record.routing} {remedy[error.why]}") from None
    except PermissionError as error:
        raise click.ClickException(
            f"{error.filename} cannot be read: run this as the user callengine"
        ) from None
