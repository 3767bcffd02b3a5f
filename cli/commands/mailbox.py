"""callengine mailbox: a mailbox for development, filled over SMTP, shown in the browser."""

import asyncio
from pathlib import Path

import click

from cli.commands.dev import check_address, say, until_told


@click.command()
@click.option("--folder", required=True, type=click.Path(file_okay=False, path_type=Path),
              help="Where mails are kept, as they came; and ca.pem, which a sender is to trust.")  # fmt: skip
@click.option("--smtp", default="127.0.0.1:2525", show_default=True, callback=check_address,
              metavar="HOST:PORT", help="Where mail is taken, with STARTTLS.")  # fmt: skip
@click.option("--web", default="127.0.0.1:8025", show_default=True, callback=check_address,
              metavar="HOST:PORT", help="Where it is shown. There is no login: on loopback.")  # fmt: skip
def command(folder: Path, smtp: str, web: str) -> None:
    """Take every mail that comes and show it, until SIGTERM or Ctrl-C. `callengine dev` starts one by itself.

    The page lists recipient, subject, time and TLS level, and plays what is attached; /messages is the same,
    as JSON.
    """
    try:
        asyncio.run(until_told(keep_mail(folder.absolute(), smtp, web)))
    except OSError as trouble:
        raise click.ClickException(str(trouble)) from None


async def keep_mail(folder: Path, smtp: str, web: str) -> None:
    from devkit.mailbox import Mailbox, identity_of, taking_mail
    from devkit.mailbox_page import showing

    mailbox, identity = Mailbox(folder), identity_of(folder)
    async with (
        taking_mail(mailbox, *address(smtp), identity) as door,
        showing(mailbox, *address(web)) as page,
    ):
        say(f"mail is taken at {door} and shown at {page}")
        await asyncio.get_running_loop().create_future()


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
