"""How names are spelled, and which languages there are; what also a process that reads no model needs."""

from typing import Literal, get_args

NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
Language = Literal["nl", "fr", "de", "es", "en"]
LANGUAGES: tuple[str, ...] = get_args(Language)
