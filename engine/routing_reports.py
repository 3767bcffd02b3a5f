"""What the routing store logs of folders and versions that cannot be used."""

import structlog

from config.errors import ConfigErrors
from config.versions import VersionError, Why

log = structlog.get_logger()


def report(errors: ConfigErrors) -> None:
    """Log every error of a refused folder, one line each."""
    for error in errors.errors:
        where = f"{error.file}:{error.place.line}:{error.place.column}"
        log.error("routing_refused", file=where, path=error.at, what=error.what)


def report_unusable(error: VersionError) -> None:
    """Log that a stored version is damaged, or cannot be read by this software."""
    if error.why is not Why.GONE:
        log.error("routing_version_unusable", digest=error.digest, why=error.why, detail=error.detail)


def report_not_stored(error: OSError) -> None:
    log.error("routing_version_unkept", why=str(error), hint="check disk and modes of the state folder")
