"""callengine settings: check and show the settings, or print an example of the settings file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from cli.options import settings_option
from config.credentials import credentials_folder, folder_beside
from config.settings import DEFAULT_FILE, Settings, SettingsError, file_of_environment, load_settings

PREFACE = """\
# callengine.toml: the settings of `callengine run` and `callengine work`.
# Every setting is here, commented out, with its default. Unknown settings are errors.
#
# Settings may also be environment variables: CALLENGINE_NODE for node, CALLENGINE_ARI__URL for url of [ari].
# Passwords belong into files of root's in the folder `credentials` beside this file, each named after its
# setting: database, ari__password, master_key ... systemd passes them to the units (LoadCredential= makes the
# folder that $CREDENTIALS_DIRECTORY names).
# The environment overrides a credential, a credential overrides this file.
"""


@click.command()
@click.option(
    "--example", is_flag=True, help="Print a settings file with every setting, its default and its meaning."
)
@settings_option()
@click.option("--new-key", is_flag=True, help="Print a new master_key, and do nothing else.")
def command(example: bool, settings: Path | None, new_key: bool) -> None:
    """Check the settings and show them (passwords masked), or print an example of the settings file."""
    if new_key:
        from storage.key_wrapper import new_master_key

        click.echo(new_master_key())
        return
    if example:
        click.echo("\n".join([PREFACE, *_example(Settings)]))
        return
    try:
        values = load_settings(settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    for name, value in _values(values):
        click.echo(f"{name} = {value}")
    file = settings or file_of_environment() or DEFAULT_FILE
    if credentials_folder(file) is None and folder_beside(file).exists():
        note = f"credentials not included: {folder_beside(file)} is readable by root only; run this as root"
        click.echo(note, err=True)


def _example(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The lines of one section: its settings, then its sub-sections (TOML requires this order)."""
    sections: dict[str, type[BaseModel]] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            sections[name] = field.annotation
        else:
            yield f"# {field.description}\n# {name} = {_written(_default(field))}\n"
    for name, section in sections.items():
        yield f"[{prefix}{name}]\n# {section.__doc__}\n"
        yield from _example(section, f"{prefix}{name}.")


def _default(field: FieldInfo) -> Any:
    """The default; if that is empty or depends on the machine, an example."""
    return field.examples[0] if field.examples else field.default


def _written(value: Any) -> str:
    """A value as TOML; strings, numbers, booleans and lists of JSON are valid TOML."""
    match value:
        case SecretStr():
            return json.dumps(value.get_secret_value())
        case frozenset():
            return json.dumps(sorted(map(str, value)))
        case Path():
            return json.dumps(str(value))
        case _:
            return json.dumps(value)


def _values(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in model:
        match value:
            case BaseModel():
                yield from _values(value, f"{prefix}{name}.")
            case SecretStr():
                yield prefix + name, "********" if value else "(not set)"
            case None:
                yield prefix + name, "(not set)"
            case _:
                yield prefix + name, _written(value)
