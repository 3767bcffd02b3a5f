"""Write the manual pages from the help of the commands: man_pages VERSION FOLDER.

callengine(1) lists the commands, and callengine-NAME(1) is the help of each. The date is SOURCE_DATE_EPOCH,
so the same help gives the same bytes.
"""

import inspect
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from cli.__main__ import main


def write_all(version: str, folder: Path) -> None:
    """Write a page for `callengine` and one for each of its commands."""
    for context in contexts(click.Context(main, info_name="callengine")):
        name = context.command_path.replace(" ", "-")
        (folder / f"{name}.1").write_text(page(context, name, version), "utf-8")


def contexts(context: click.Context) -> Iterator[click.Context]:
    """This command and those below it: callengine, callengine recordings, callengine recordings list."""
    yield context
    for name, command in below(context):
        yield from contexts(click.Context(command, info_name=name, parent=context))


def below(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """The sub-commands, by name."""
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            if command := context.command.get_command(context, name):
                yield name, command


def page(context: click.Context, name: str, version: str) -> str:
    """The page of one command, in roff."""
    command = context.command
    date = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC).date()
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(command.help or "").replace("\b", ""))
    options = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    commands = [(name, command.get_short_help_str(200)) for name, command in below(context)]
    return "\n".join(
        [
            f'.TH {escaped(name.upper())} 1 "{date}" "callengine {version}"',
            f".SH NAME\n{escaped(name)} \\- {escaped(command.get_short_help_str(200))}",
            f".SH SYNOPSIS\n{escaped(usage)}",
            ".SH DESCRIPTION",
            "\n.PP\n".join(map(escaped, paragraphs)),
            section("OPTIONS", options),
            section("COMMANDS", commands),
        ]
    )


def section(title: str, rows: list[tuple[str, str]]) -> str:
    """A list of terms and their explanations; nothing without one."""
    if not rows:
        return ""
    return "\n".join(
        [f".SH {title}", *(f".TP\n.B {escaped(term)}\n{escaped(text)}" for term, text in rows), ""]
    )


def escaped(text: str) -> str:
    """Text as roff shows it unchanged."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub("^(?=[.'])", r"\\&", " ".join(text.split()))


if __name__ == "__main__":
    write_all(sys.argv[1], Path(sys.argv[2]))
