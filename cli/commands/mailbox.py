"""callengine mailbox: a mailbox for development, filled over SMTP, shown in the browser."""

import asyncio
from pathlib import Path

import click

from cli.foreground import report, run_until_stopped
from cli.options import FOLDER, Address


@click.command()
@click.option("--folder", required=True, type=FOLDER, metavar="FOLDER",
              help="Where mails are stored unchanged, with ca.pem, the certificate to trust.")  # fmt: skip
@click.option("--smtp", default="127.0.0.1:2525", show_default=True, type=Address(),
              help="The address of this SMTP server; it offers STARTTLS.")  # fmt: skip
@click.option("--web", default="127.0.0.1:8025", show_default=True, type=Address(),
              help="The address of the web page. It has no login: use loopback.")  # fmt: skip
def command(folder: Path, smtp: str, web: str) -> None:
    """Take all mail and show it, until SIGTERM or Ctrl-C. `callengine dev` starts a mailbox by itself.

    The page lists recipient, subject, time and TLS level, and plays attachments; /messages is the same list
    as JSON.
    """
    try:
        asyncio.run(run_until_stopped(serve(folder.absolute(), smtp, web)))
    except OSError as error:
        raise click.ClickException(str(error)) from None


async def serve(folder: Path, smtp: str, web: str) -> None:
    from devkit.mailbox import Mailbox, identity_of, taking_mail
    from devkit.mailbox_page import showing

    mailbox, identity = Mailbox(folder), identity_of(folder)
    async with (
        taking_mail(mailbox, *host_and_port(smtp), identity) as server,
        showing(mailbox, *host_and_port(web)) as page,
    ):
        report(f"mail is taken at {server} and shown at {page}")
        await asyncio.get_running_loop().create_future()


def host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
