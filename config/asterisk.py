"""The settings of Asterisk's own configuration: where its files are, and how a destination is dialled."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from dialplan.model import Model


def _check_trunk(text: str) -> str:
    if not re.fullmatch(r"PJSIP/\{number\}@[A-Za-z0-9_-]+(\{n\})?", text, re.ASCII):
        raise ValueError(
            "write PJSIP/{number}@ and the name of the endpoint in pjsip.conf: PJSIP/{number}@trunk{n}"
        )
    return text


class Asterisk(Model):
    """Asterisk's own configuration, as far as the engine needs it."""

    etc_dir: Path | None = Field(
        None,
        examples=["/etc/asterisk"],
        description="Asterisk's configuration folder, for fallback.conf and music.conf. Unset: no files",
    )
    recordings: Path = Field(
        Path("/var/spool/asterisk/recording"),
        description="Folder of Asterisk's recordings; the worker must be allowed to delete there",
    )
    cel: Path = Field(
        Path("/var/log/asterisk/cel-custom/Master.csv"),
        description="The file of cel_custom.conf, from which call records come. The engine rotates it",
    )
    trunk: Annotated[str, AfterValidator(_check_trunk)] = Field(
        "PJSIP/{number}@trunk",
        examples=["PJSIP/{number}@trunk{n}"],
        description="How a destination is dialled; {n} is 0 to 9, for ten endpoints as in our pjsip.conf",
    )
    trunks: Path | None = Field(
        None,
        examples=["/etc/callengine/trunks"],
        description="Folder of carriers, a file each: `callengine trunks` checks them",
    )
