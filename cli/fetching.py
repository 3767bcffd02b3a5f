"""callengine recordings fetch: a recording as a file of whoever asked for it."""

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
from worker.stores import key_wrapper_of, objects_of


async def save(settings: Settings, con: asyncpg.Connection, recording: str, output: Path | None) -> None:
    async with encrypted_store_of(settings) as encrypted_store:
        try:
            data = await encrypted_store.fetch(con, recording)
        except AudioDestroyed:
            raise click.ClickException(f"not to be fetched: {await standing(con, recording)}") from None
        except (AudioDamaged, ObjectsTrouble, MasterKeyError) as trouble:
            raise click.ClickException(str(trouble)) from None
    if output == Path("-"):
        sys.stdout.buffer.write(data)
        return
    form, _ = await format_and_seconds(con, recording)
    file = output or Path(f"{recording}.{form}")
    write_new(file, data)
    click.echo(f"{file} ({len(data)} bytes)")


@asynccontextmanager
async def encrypted_store_of(settings: Settings) -> AsyncIterator[Any]:
    try:
        settings.require("master_key")
        key_wrapper = key_wrapper_of(settings)
    except SettingsError as wrong:
        raise click.ClickException(str(wrong)) from None
    objects = objects_of(settings)
    try:
        yield EncryptedStore(objects, key_wrapper) if key_wrapper else None
    finally:
        await objects.close()


def write_new(file: Path, data: bytes) -> None:
    """For our eyes only, and over nothing that is there. Raises ClickException."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
    except OSError as wrong:
        raise click.ClickException(f"{file}: {wrong.strerror}") from None
