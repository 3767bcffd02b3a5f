"""callengine schema: the JSON Schema of routing files for editors, or the manual of routing files."""

import click

FILES = ("numbers", "owners", "routes", "trunks")


@click.command()
@click.argument("files", type=click.Choice(FILES), default="numbers")
@click.option("--markdown", is_flag=True, help="Print the manual of all routing files instead.")
def command(files: str, markdown: bool) -> None:
    """Print the JSON Schema of the FILES in a folder of the routing folder, or of carriers (trunks).

    An editor completes settings and marks errors with it: docs/routing.md says how. A schema sees one file;
    `callengine check` reads the whole folder, `callengine trunks` that of the carriers.
    """
    if markdown:
        from config.manual import manual

        click.echo(manual(), nl=False)
    else:
        from config.editor_schema import as_text, editor_schema

        click.echo(as_text(editor_schema(files)), nl=False)
