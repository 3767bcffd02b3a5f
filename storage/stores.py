"""Where audio and its keys are stored, as the settings say."""

from pathlib import Path

from config.settings import Settings, SettingsError
from storage.key_wrapper import KeyWrapper, MasterKeyError
from storage.objects import Objects
from storage.objects.directory import Directory
from storage.objects.s3 import S3, Bucket


def objects_of(settings: Settings, marked: Path | None = None) -> Objects:
    """The object store that the settings name; nothing has connected to it yet.

    `marked`: see storage/same_folder.py; for the worker alone.
    Raises SettingsError for a bucket without its secret key: the engine, which stores no objects, has none.
    """
    chosen = settings.objects
    if not chosen.bucket:
        return Directory(settings.objects_dir, marked)
    if not (secret := chosen.secret_key.get_secret_value()):
        raise SettingsError(["objects: a bucket needs access_key and secret_key"])
    return S3(
        Bucket(chosen.bucket, chosen.endpoint, chosen.region, chosen.access_key, secret, chosen.all_versions)
    )


def key_wrapper_of(settings: Settings) -> KeyWrapper | None:
    """None without a master key. Raises SettingsError when the master key is not one."""
    text = settings.master_key.get_secret_value()
    try:
        return KeyWrapper(text) if text else None
    except MasterKeyError as wrong:
        raise SettingsError([f"master_key: {wrong}"]) from None
