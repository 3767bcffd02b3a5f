"""Put a routing version live, and wait until the engine has it in force."""

import json
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from config.applied import Applied, NoLinkError, check_link, put_live
from config.copies import sha256_of
from config.folder import list_files
from config.settings import Settings
from config.versions import Versions
from process.operators import operator

WAIT_SECONDS = 15.0
LOOK_SECONDS = 0.005
ASK_SECONDS = 2.0


def check_settings(settings: Settings) -> None:
    """Raise ClickException if the routing folder of the settings cannot be switched to another version."""
    try:
        check_link(settings.routing)
    except NoLinkError:
        path = settings.routing
        raise click.ClickException(
            f"{path} is a folder, which the engine watches; only a symbolic link can be switched in one "
            f"step. Move the folder aside once (mv {path} {path}.files) and apply that; calls go on meanwhile"
        ) from None


def activate(settings: Settings, digest: str, *, reason: str, source: str = "") -> None:
    """Put this stored version live, and say when the engine has it in force. Raises ClickException."""
    versions = Versions(settings.routing_versions)
    applied = Applied(datetime.now(UTC), digest, operator(), socket.gethostname(), reason, source)
    began = time.monotonic()
    try:
        put_live(settings.routing, versions, applied)
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be written ({error.strerror})") from None
    import http.client  # noqa: F401, PLC0415 - 20 ms, while the engine reads the version

    while not _is_in_force(settings, versions, digest):
        if time.monotonic() > began + WAIT_SECONDS:
            raise click.ClickException(
                f"{short(digest)} is not in force after {WAIT_SECONDS:.0f} s: if the engine is not running, "
                "it takes the version at its start; otherwise its log has routing_refused"
            )
        time.sleep(LOOK_SECONDS)
    click.echo(f"{short(digest)} is in force, {time.monotonic() - began:.1f} s after it was applied")


def _is_in_force(settings: Settings, versions: Versions, digest: str) -> bool:
    """Whether the engine has stored the version as the one in force and, if it can be asked, says so too."""
    if versions.in_force_digest() != digest:
        return False
    said = _version_of_engine(settings)
    return said is None or said == digest


def _version_of_engine(settings: Settings) -> str | None:
    """Return the version that the engine's /ready names; None if the engine cannot be asked."""
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - see activate()

    http = settings.http
    connection = HTTPConnection(http.host, http.engine_port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/ready")
        return str(json.load(connection.getresponse())["routing"]["version"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


def short(digest: str) -> str:
    """Return the beginning of a digest, which is enough to name a version."""
    return digest[:12]


def named(versions: Versions, beginning: str) -> str:
    """Return the digest of the stored version that begins so. Raises ClickException."""
    digests = [version.digest for version in versions.all()]
    found = [digest for digest in digests if digest.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    what = "several versions begin" if found else "no stored version begins"
    raise click.ClickException(f"{what} with {beginning}; `callengine versions` lists them")


def hashes_of(versions: Versions, digest: str) -> Mapping[str, str]:
    """Return the SHA-256 of each file of a stored version."""
    if manifest := versions.manifest(digest):
        return {name: stored.sha256 for name, stored in manifest.items()}
    return hashes_in(versions.root / digest)


def hashes_in(folder: Path) -> Mapping[str, str]:
    """Return the SHA-256 of each file of a folder, which are all read."""
    return {file.relative_to(folder).as_posix(): sha256_of(file) for file in list_files(folder).all}
