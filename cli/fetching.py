"""callengine recordings fetch: write a recording to a file of the operator."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import click

from config.settings import Settings, SettingsError
from storage.encrypted_store import AudioDamaged, AudioDestroyed, EncryptedStore
from storage.key_wrapper import MasterKeyError
from storage.objects import ObjectsTrouble
from storage.recordings import format_and_seconds, standing
from storage.stores import key_wrapper_of, objects_of


async def save(settings: Settings, con: asyncpg.Connection, recording: str, output: Path | None) -> None:
    """Fetch a recording, which logs the access, and write the file. Raises ClickException."""
    async with encrypted_store_of(settings) as encrypted_store:
        try:
            data = await encrypted_store.fetch(con, recording)
        except AudioDestroyed:
            raise click.ClickException(f"cannot be fetched: {await standing(con, recording)}") from None
        except (AudioDamaged, ObjectsTrouble, MasterKeyError) as error:
            raise click.ClickException(str(error)) from None
    if output == Path("-"):
        sys.stdout.buffer.write(data)
        return
    suffix, _ = await format_and_seconds(con, recording)
    file = output or Path(f"{recording}.{suffix}")
    write_new(file, data)
    click.echo(f"{file} ({len(data)} bytes)")


@asynccontextmanager
async def encrypted_store_of(settings: Settings) -> AsyncIterator[Any]:
    try:
        settings.require("master_key")
        key_wrapper = key_wrapper_of(settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    objects = objects_of(settings)
    try:
        yield EncryptedStore(objects, key_wrapper) if key_wrapper else None
    finally:
        await objects.close()


def write_new(file: Path, data: bytes) -> None:
    """Write a new file that only this user can read. Raises ClickException if it exists already."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
