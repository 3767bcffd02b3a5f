"""Settings that are lists, as TOML and the environment have them."""

import re


def split(value: object) -> object:
    """`BE, NL` as the environment has it -> the list that TOML has."""
    return re.findall(r"[^\s,\[\]\"']+", value) if isinstance(value, str) else value
