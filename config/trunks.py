"""Further carriers: one file each, `trunks/NAME.yaml`, checked as routes are.

    host: sip.beta.example:5060
    order: 2                       # which is tried first
    addresses: [198.51.100.7]      # where its calls come from; none: outgoing calls only

`callengine trunks` checks and lists them; engine/trunk_files.py writes them for Asterisk.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from config.errors import NOWHERE, ConfigErrors, FileError
from config.reading import Reading
from dialplan.model import Model

# Endpoints are NAME0 to NAME9, so a name has no digit; the others are names of pjsip.conf.
NAME = re.compile(r"[a-z][a-z-]{0,29}", re.ASCII)
TAKEN = frozenset({"global", "system", "udp", "tcp", "tls", "leg", "out", "mine", "from", "trunk"})


class Transport(StrEnum):
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class Codec(StrEnum):
    PCMA = "alaw"
    PCMU = "ulaw"
    G722 = "g722"
    OPUS = "opus"


def _check_host(text: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", text, re.ASCII):
        raise ValueError("write HOST or HOST:PORT, an IPv6 address in brackets: sip.carrier.example:5060")
    return text


def _check_network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            f"{text} is not an address or network; write 198.51.100.7 or 198.51.100.0/28"
        ) from None
    if network.num_addresses > 2 ** (network.max_prefixlen - (16 if network.version == 4 else 48)):
        raise ValueError(f"{text} is open to too many; write the carrier's own addresses")
    return text


def _check_login(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.+_@~-]{0,64}", text, re.ASCII):
        raise ValueError("a user has letters, digits and . + _ @ ~ - only")
    return text


class Trunk(Model):
    """A carrier. `host`: where calls are sent. `addresses`: where its calls come from.

    `user`: it asks for a login; the password is a credential, `trunk_passwords__NAME`. `registration`: it
    sends calls to where this Asterisk registers. `srtp`: audio is encrypted, too; needs `transport: tls`.
    `qualify_seconds`: how often it is asked (OPTIONS) whether it is there; 0: never.
    """

    host: Annotated[str, AfterValidator(_check_host)] = Field(examples=["sip.beta.example:5060"])
    order: int = Field(1, ge=1, le=99)
    addresses: tuple[Annotated[str, AfterValidator(_check_network)], ...] = ()
    transport: Transport = Transport.UDP
    srtp: bool = False
    user: Annotated[str, AfterValidator(_check_login)] = ""
    registration: bool = False
    codecs: tuple[Codec, ...] = Field((Codec.PCMA, Codec.PCMU), min_length=1)
    qualify_seconds: int = Field(30, ge=0, le=3600)
    rtp_timeout: int = Field(120, ge=0, le=3600)

    @classmethod
    def noun(cls) -> str:
        return "a trunk"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.srtp and self.transport is not Transport.TLS:
            raise ValueError(
                "with `srtp` write `transport: tls`: otherwise its keys go over the network in plain"
            )
        if self.registration and not self.user:
            raise ValueError("with `registration` write the `user` that the carrier gave you")
        return self


@dataclass(frozen=True, slots=True)
class Trunks:
    """The further carriers, by name, in the order in which they are tried."""

    by_name: Mapping[str, Trunk]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.by_name)


NO_TRUNKS = Trunks({})


def load_trunks(folder: Path | None) -> Trunks:
    """The trunks of this folder; none if there is no folder. Raises ConfigErrors with all errors."""
    if folder is None or not folder.is_dir():
        return NO_TRUNKS
    files = sorted(file for file in folder.iterdir() if file.suffix in {".yaml", ".yml"})
    reading = Reading(folder, list(_misnamed(files)))
    read = {text.file.stem: reading.model(text, Trunk) for text in reading.texts(files)}
    if reading.errors:
        raise ConfigErrors(reading.errors)
    trunks = {name: trunk for name, trunk in read.items() if trunk is not None}
    return Trunks(dict(sorted(trunks.items(), key=lambda item: (item[1].order, item[0]))))


def _misnamed(files: Iterable[Path]) -> Iterable[FileError]:
    for file in files:
        if not NAME.fullmatch(file.stem) or file.stem in TAKEN:
            what = "this name cannot be a trunk's; write at most 30 of a-z and -, as in  beta.yaml"
            yield FileError(file, NOWHERE, "", what)
