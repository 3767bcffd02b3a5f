"""callengine draw: a number's route as a picture."""

from pathlib import Path

import click

from cli.options import settings_option


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("number")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The SVG file to write, which browsers show.",
)
@settings_option()
def command(*, folder: Path, number: str, out: Path, settings: Path | None) -> None:
    """Draw the route of NUMBER in the routing FOLDER: steps from top to bottom, branches to the right.

    The folder is checked first, as `callengine check` does.
    """
    from cli.dialled import dialled_or_fail
    from cli.picture import svg
    from cli.route_tree import tree_of
    from cli.routing_folder import read_or_exit

    routing = read_or_exit(folder, settings)
    dialled = dialled_or_fail(routing, folder, number, settings)
    steps = tree_of(folder, dialled.number)
    title = f"{dialled.number} of {routing.owner(dialled).name}"
    try:
        out.write_text(svg(title, steps), "utf-8")
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written ({error.strerror})") from None
    click.echo(f"{out}: {sum(1 for _ in steps)} steps, and their branches")
