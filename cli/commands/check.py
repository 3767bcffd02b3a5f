"""callengine check: every error of a routing folder, each with its place and its remedy."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--settings", type=click.Path(path_type=Path), help="The settings file (allowed countries).")
def command(folder: Path, settings: Path | None) -> None:
    """Print every error of the routing FOLDER and exit with 1, or say that all is good.

    The calls that numbers `expect` are tried out too. Nothing is changed, and no server is asked.
    """
    from cli.routing_folder import read_or_exit

    routing = read_or_exit(folder, settings)
    tried = sum(len(number.expect) for number in routing.numbers.values())
    counts = (
        _many(len(routing.numbers), "number"),
        _many(len(routing.owners), "owner"),
        _many(len(routing.own_prompts), "prompt"),
    )
    click.echo(f"{', '.join(counts)}: all good ({_many(tried, 'expected call')} tried out)")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
