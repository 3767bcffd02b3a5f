"""callengine check: every error of a routing folder, each with its place and its remedy."""

from pathlib import Path

import click

from cli.options import settings_option


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@settings_option()
def command(folder: Path, settings: Path | None) -> None:
    """Print every error of the routing FOLDER and exit with 1, or confirm that there is none.

    The expected calls (`expect`) of each number are tried out too. Nothing is changed, and no server is
    asked. Of the settings only the allowed countries count, and the folder of trunks, which has the domains
    of SIP addresses.
    """
    from cli.routing_folder import read_or_exit

    routing = read_or_exit(folder, settings)
    expected_calls = sum(len(number.expect) for number in routing.numbers.values())
    counts = (
        _count(len(routing.numbers), "number"),
        _count(len(routing.owners), "owner"),
        _count(len(routing.own_prompts), "prompt"),
    )
    click.echo(f"{', '.join(counts)}: all good ({_count(expected_calls, 'expected call')} tried out)")


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
