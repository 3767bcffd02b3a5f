"""Settings that are lists, in TOML and in the environment."""

import re


def split(value: object) -> object:
    """Split `BE, NL`, the form of the environment, into the list that TOML has."""
    return re.findall(r"[^\s,\[\]\"']+", value) if isinstance(value, str) else value
