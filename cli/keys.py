"""The master key that a command needs, and the keys that are derived from it."""

import click

from config.settings import Settings, SettingsError
from storage.erased_number import NumberKeys
from storage.key_wrapper import KeyWrapper
from storage.stores import key_wrapper_of
from worker.erasing import keys_of


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


def keys_if_any(settings: Settings) -> tuple[KeyWrapper | None, NumberKeys | None]:
    """None without a master key. Raises ClickException if it is not one."""
    try:
        return key_wrapper_of(settings), keys_of(settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
