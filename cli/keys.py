"""The master key that a command needs."""

import click

from config.settings import Settings, SettingsError
from storage.key_wrapper import KeyWrapper
from storage.stores import key_wrapper_of


def master_key_in(settings: Settings) -> KeyWrapper:
    """Raises ClickException if the settings have no usable master key."""
    try:
        settings.require("master_key")
        key_wrapper = key_wrapper_of(settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if key_wrapper is None:
        raise click.ClickException("master_key is not set")
    return key_wrapper
