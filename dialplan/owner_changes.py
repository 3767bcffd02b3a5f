"""What an owner has changed of their own settings, over the operator's file: the file stays the ground."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from dialplan.number import Owner
from dialplan.period import written_period

# What an owner may change. All else is the operator's: it costs money, or the law asks for it.
CHANGEABLE = (
    "name",
    "language",
    "mail",
    "mail_then",
    "audio",
    "recordings",
    "missed_calls",
    "keep_recordings",
)

type Changes = Mapping[str, Any]  # values by setting, as a file has them; None: the setting is removed


def changed(owner: Owner, changes: Changes) -> Owner:
    """Return the owner of the operator's file with these changes, by the rules of the file.

    Raises pydantic's ValidationError, also for changes that the operator's file does not allow any more.
    """
    wanted = {name: value for name, value in changes.items() if name in CHANGEABLE}
    if not wanted:
        return owner
    written = as_written(owner) | wanted
    return Owner.model_validate({name: value for name, value in written.items() if value is not None})


def as_written(owner: Owner) -> dict[str, Any]:
    """Return each setting as a file has it; None for one that the file does not have."""
    return {name: _written(value) for name, value in owner.model_dump().items()}


def _written(value: Any) -> Any:
    match value:
        case timedelta():
            return written_period(value)
        case tuple():
            return list(value) or None
    return value
