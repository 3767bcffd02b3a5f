"""The console command `callengine`: each sub-command is one file of `cli/commands/`, imported when called.

Importing all of them would load aiohttp, asyncpg and holidays at every start (0.5 s); `--help` takes 0.06 s.
"""

import ast
import importlib
import os
import re
import sys
from difflib import get_close_matches
from pathlib import Path

import click

from cli.exit_status import ends_at_once

COMMANDS = Path(__file__).parent / "commands"


class Commands(click.Group):
    """The commands: one file of `cli/commands/` each, which exports a click command named `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(file.stem for file in COMMANDS.glob("[a-z]*.py"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"cli.commands.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"cli/commands/{cmd_name}.py: `command` is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            near = get_close_matches(args[0], known, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" The commands are: {', '.join(known)}."
            ctx.fail(f"There is no command {args[0]}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them, by the first line of each file."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(COMMANDS / f"{name}.py")) for name in self.list_commands(ctx)])


def summary(file: Path) -> str:
    """A command's summary, from its docstring `callengine NAME: what it does.`, without an import."""
    first = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n\n")[0]
    text = re.sub(rf"^`*callengine {file.stem}\b[^:]*:\s*", "", " ".join(first.split()))
    return text.partition(". ")[0].rstrip(".")


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="callengine", message="callengine %(version)s")
def main() -> None:
    """The call-handling engine of a provider of service numbers, on Asterisk over ARI.

    On one machine, with nothing installed: make demo. With real servers: callengine run and callengine work,
    configured by /etc/callengine/callengine.toml and the environment (callengine settings --example).
    """


def program() -> None:
    """Run the command of this process."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it looks for some in every library: 5 ms
    try:
        main()
    except SystemExit as end:
        if not ends_at_once():
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 0 if end.code is None else 1)


if __name__ == "__main__":
    program()
