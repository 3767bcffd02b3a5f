"""A person's number as an argument, and the keys by which it is stored."""

import re
import sys

import click

from config.settings import Settings, SettingsError
from dialplan.address import check_address, is_address
from storage.erased_number import NumberKeys
from worker.erasing import keys_of


def given_number(argument: str) -> str:
    """The number in E.164; `-` reads it from standard input, so that no shell's history has it.

    Raises ClickException; the message does not have the text, which may be logged.
    """
    text = (sys.stdin.readline() if argument == "-" else argument).strip()
    if not re.fullmatch(r"\+[0-9]{7,15}", text, re.ASCII):
        raise click.ClickException("that is not a number; write it with + and country code: +32470123456")
    return text


def given_party(argument: str) -> str:
    """The number, or the SIP address of a destination; `-` reads it from standard input.

    Raises ClickException, whose message does not have the text.
    """
    text = (sys.stdin.readline() if argument == "-" else argument).strip()
    if not is_address(text):
        return given_number(text)
    try:
        return check_address(text)
    except ValueError:
        raise click.ClickException(
            "that is not an address; write it as records have it: sip:reception@pbx.acme.example"
        ) from None


def number_keys(settings: Settings) -> NumberKeys:
    """Raises ClickException without a master key."""
    try:
        found = keys_of(settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if found is None:
        raise click.ClickException("master_key is not set: a number is stored only hashed or encrypted by it")
    return found
