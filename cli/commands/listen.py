"""callengine listen: what a caller would hear, as one audio file with a timeline."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from cli.call_options import call_options
from cli.options import settings_option
from dialplan.caller import Caller
from dialplan.result import Outcome
from dialplan.step import Case


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("number")
@call_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The WAV file to write: 8 kHz, 16 bit, mono.",
)
@settings_option()
def command(
    *,
    folder: Path,
    number: str,
    at: datetime,
    caller: Caller,
    outcomes: Sequence[str],
    presses: Sequence[str],
    out: Path,
    settings: Path | None,
) -> None:
    """Write what a caller of NUMBER would hear by the routing FOLDER, and print when what begins.

    Prompts are those that go live, built-in ones too. A destination that answers rings for 5 s here; one that
    does not, for as long as the route says. Where the caller leaves a message, there are 3 s of silence.
    """
    from cli.listening import Listening
    from cli.routing_folder import read_or_exit
    from cli.supposed_call import Supposed, explain_supposed
    from config.errors import UnplayableError

    case = Case([Outcome(outcome) for outcome in outcomes], presses=list(presses))
    explanation = explain_supposed(folder, number, Supposed(at, caller, case), settings)
    listening = Listening(read_or_exit(folder, settings), explanation.number)
    try:
        listening.call(explanation.call)
        listening.write(out)
    except (OSError, UnplayableError) as error:
        raise click.ClickException(f"{out} cannot be written ({error})") from None
    for line in listening.lines():
        click.echo(line)
    click.echo(f"{out}: {listening.seconds:.1f} s")
