"""callengine quickstart: set up a host with both packages, from the settings to a first answered call."""

import os
from typing import TYPE_CHECKING

import click

from cli.options import Address
from dialplan.names import LANGUAGES

if TYPE_CHECKING:
    from cli.quickstart.wish import Wish

ASKED = {
    "sip": "Address and port of this host where the carrier sends calls",
    "carrier": "Host and port of the carrier for outgoing calls",
    "carrier_address": "Address from which the carrier's calls come",
    "number": "The first service number",
    "owner": "Name of its owner",
    "owner_mail": "Mail address of the owner, for messages",
    "sender": "Sender of these mails",
}
SECRETS = {
    "login": ("login_password", "Password of the login at the carrier"),
    "bucket": ("secret_key", "Secret key of the bucket"),
}


@click.command()
@click.option("--sip", type=Address(), help=f"{ASKED['sip']}: 192.0.2.10:5060.")
@click.option("--carrier", type=Address(), help=f"{ASKED['carrier']}: sip.carrier.example:5060.")
@click.option("--carrier-address", metavar="ADDRESS", help=f"{ASKED['carrier_address']}: 192.0.2.1.")
@click.option("--number", metavar="NUMBER", help=f"{ASKED['number']}: +3270012345.")
@click.option("--owner", metavar="NAME", help=f"{ASKED['owner']}: ACME.")
@click.option("--owner-mail", metavar="MAIL", help=f"{ASKED['owner_mail']}.")
@click.option("--sender", metavar="MAIL", help=f"{ASKED['sender']}: voicemail@provider.example.")
@click.option(
    "--smarthost",
    metavar="HOST",
    default="",
    help="Your mail server. Default: those of the owners.",
)
@click.option(
    "--destination",
    metavar="NUMBER",
    default="",
    help="Rung before a message is taken. Default: none.",
)
@click.option("--database", metavar="URL", default="local", show_default=True,
              help="URL of an empty database's owner; local means PostgreSQL on this host.")  # fmt: skip
@click.option("--timezone", default="Europe/Brussels", show_default=True, help="Time zone of the number.")
@click.option(
    "--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the owner."
)
@click.option("--qualify-seconds", default="30", show_default=True,
              help="How often the carrier is asked by OPTIONS; 0 if it does not answer.")  # fmt: skip
@click.option("--login", metavar="USER", default="",
              help="Register with the carrier as this user. Default: it knows the address.")  # fmt: skip
@click.option("--bucket", metavar="NAME", default="",
              help="Make this S3 bucket for messages and recordings. Default: a folder.")  # fmt: skip
@click.option("--endpoint", metavar="URL", default="", help="Address of the S3 service. Default: Amazon's.")
@click.option("--region", default="us-east-1", show_default=True, help="Region of the bucket.")
@click.option("--access-key", metavar="ID", default="", help="Access key of the bucket.")
@click.option("--dry-run", is_flag=True, help="Show what would be written and done, and do nothing.")
@click.option("--undo", is_flag=True, help="Remove what a quickstart has made on this host.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def command(*, dry_run: bool, undo: bool, yes: bool, **options: str | None) -> None:
    """Set up this host: settings, passwords, database, Asterisk, an owner and a number, and a first call.

    Passwords that are yours are asked, or read from QUICKSTART_LOGIN_PASSWORD and
    QUICKSTART_SECRET_KEY: an option would show them to every user of the host.

    Needs the packages callengine and callengine-asterisk, and root. What is not given as an option is asked.
    The test call is made by SIP to this host's own address, comes in as the carrier's calls do, and ends with
    its call record. A host that has settings
    already is refused. --undo removes everything again, unless other calls have been recorded since.
    """
    from cli.database import database_errors
    from cli.quickstart.setting_up import plan, set_up
    from cli.quickstart.wish import QuickstartError

    if not dry_run and os.geteuid() != 0:
        raise click.ClickException("run this as root: it writes passwords and starts units")
    try:
        if undo:
            take_back(yes=yes)
            return
        wish = wish_of(options)
        if dry_run:
            click.echo("\n".join(plan(wish)))
            return
        if not yes:
            click.confirm("\n".join([*plan(wish), "Go ahead?"]), abort=True)
        with database_errors():
            set_up(wish, click.echo)
    except QuickstartError as error:
        raise click.ClickException(str(error)) from None


def wish_of(options: "dict[str, str | None]") -> "Wish":
    """Ask for what is missing, and check it. Raises QuickstartError."""
    from cli.quickstart.wish import Wish

    values = {name: str(value) for name, value in options.items() if value is not None}
    asked = {name: str(click.prompt(text)) for name, text in ASKED.items() if name not in values}
    wish = Wish(**values, **asked, **secrets_of(values))
    wish.check()
    return wish


def secrets_of(values: "dict[str, str]") -> dict[str, str]:
    """Passwords that only the operator knows: of the environment, or asked."""
    secrets = {}
    for option, (name, text) in SECRETS.items():
        if values[option]:
            variable = f"QUICKSTART_{name.upper()}"
            secrets[name] = os.environ.get(variable) or str(click.prompt(text, hide_input=True))
    return secrets


def take_back(*, yes: bool) -> None:
    """Undo, after a confirmation."""
    from cli.quickstart.setting_up import undo

    if not yes:
        click.confirm("Remove settings, database, routing and state that quickstart has made?", abort=True)
    undo(click.echo)
