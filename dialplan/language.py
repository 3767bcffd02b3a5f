"""The languages of prompts and mails."""

from typing import Literal

Language = Literal["nl", "fr", "de", "es", "en"]
